/** A graph that was submitted: its results, its progress, its end. */
import { EventEmitter } from "node:events";
import { ShutdownError } from "../api/errors.js";
import { toError } from "../api/failure-errors.js";
import type { Failure } from "../values/failures.js";
import type { Database } from "./database.js";
import { UnknownRunError } from "./errors.js";
import { ClusterJob } from "./graph.js";
import { grouped } from "./grouped.js";
import { jobIdOf } from "./ids.js";
import type { Plan } from "./plan.js";
import { COMPLETED, DEPENDENCY_FAILED, FAILED, type Outcome, type RunStatus, type Store } from "./store.js";
import { failureFromText, valueFromText } from "./values.js";
import type { Watch, Watcher } from "./watch.js";

/** Failures in a report, at most. */
const MOST_FAILURES = 100;

/** What became of a run. */
export interface RunReport extends RunStatus {
  /** The jobs that failed themselves, 100 at most: those that did not run because of them are only counted. */
  readonly failures: readonly { readonly job: string; readonly error: Error }[];
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** What a run is connected with. */
export interface Connection {
  readonly database: Database;
  readonly store: Store;
  readonly watch: Watch;
}

/**
 * A graph that was submitted to a cluster. It goes on whether anybody looks at it or not, until each of its jobs has an
 * outcome.
 *
 * @example
 * const run = await cluster.submit(graph);
 * run.on("progress", ({ completed, jobs }) => console.log(`${completed} of ${jobs}`));
 * const report = await run.done;
 */
export class Run extends EventEmitter<{ progress: [RunStatus] }> {
  /** By which other processes find it: `cluster.attach(id)`. */
  readonly id: string;
  readonly #connection: Connection;
  readonly #plan: Plan;
  /** Those who wait for results, by number of the job. */
  readonly #waiting = new Map<number, Waiting[]>();
  #done: Promise<RunReport> | undefined;
  #ended: Waiting | undefined;
  #watching = false;
  #last = "";
  readonly #watcher: Watcher = {
    onStatus: (status) => this.#onStatus(status),
    onClosed: () => this.#end(closed()),
  };

  /** @internal */
  constructor(id: string, plan: Plan, connection: Connection) {
    super();
    this.id = id;
    this.#plan = plan;
    this.#connection = connection;
    (this as EventEmitter).on("newListener", (event) => {
      if (event === "progress") this.#watch();
    });
  }

  /**
   * Settles when each job has an outcome, with a report, also where jobs failed or the run was cancelled.
   *
   * @throws UnknownRunError when it is deleted, ShutdownError when the cluster is closed before
   */
  get done(): Promise<RunReport> {
    this.#done ??= new Promise((resolve, reject) => {
      this.#ended = { resolve: (report) => resolve(report as RunReport), reject };
      this.#watch();
    });
    return this.#done;
  }

  /**
   * The result of a job, when it has one.
   *
   * @param job a job of the graph that was submitted, or the name that it was given by `with`
   * @throws JobFailedError, DependencyFailedError, JobCancelledError and so on, as on one machine; TypeError for a job
   * that the run does not have; UnknownRunError, ShutdownError as `done`
   * @example
   * const total = await run.result<number>("total");
   */
  async result<R>(job: ClusterJob<R> | string): Promise<R> {
    const number = this.#numberOf(job);
    return await new Promise<R>((resolve, reject) => {
      const waiting = this.#waiting.get(number) ?? [];
      waiting.push({ resolve: (value) => resolve(value as R), reject });
      this.#waiting.set(number, waiting);
      this.#watch();
      this.#connection.watch.look(this.id);
    });
  }

  /**
   * How far it is now, and what it waits for: `waitingFor` has the functions, such as "work.count", of ready jobs that a worker has
   * left to others, as its module has no such export.
   *
   * @throws UnknownRunError, ShutdownError
   */
  async status(): Promise<RunStatus & { readonly waitingFor: readonly string[] }> {
    this.#checkOpen();
    const { store } = this.#connection;
    const [[status], waitingFor] = await Promise.all([
      store.statuses([this.id]),
      store.lacking(this.id, this.#plan.size, this.#plan.queues),
    ]);
    if (status === undefined) throw new UnknownRunError(this.id);
    return { ...status, waitingFor };
  }

  /**
   * Cancels all jobs that have no outcome yet: those that have not started never will; those that run are asked to
   * stop, and what they still give is dropped. Does nothing if the run has ended.
   */
  async cancel(): Promise<void> {
    this.#checkOpen();
    const { database, store } = this.#connection;
    await database.transaction(async (sql) => {
      const jobs = await store.cancel(sql, this.id);
      for (const [queue, some] of grouped(jobs, (job) => this.#plan.queueOf(job))) {
        const ids = some.map((job) => jobIdOf(this.id, job));
        await database.boss.cancel(queue, ids, { db: sql });
      }
      await store.notify(sql, `cancelled ${this.id}`);
    });
  }

  /** Cancels the run if it has not ended, and deletes it with its results. */
  async delete(): Promise<void> {
    await this.cancel();
    await this.#connection.database.transaction((sql) => this.#connection.store.delete(sql, this.id));
    this.#connection.watch.look(this.id);
  }

  #numberOf(job: ClusterJob<unknown> | string): number {
    if (job instanceof ClusterJob && job._graph._runs.has(this.id)) return job._index;
    const number = typeof job === "string" ? this.#plan.numberOf(job) : undefined;
    if (number !== undefined) return number;
    throw new TypeError(
      typeof job === "string"
        ? `the run has no job called "${job}"; names are given by graph.spawn(…).with({ name })`
        : `${job instanceof ClusterJob ? `job "${job.name}" is of another graph; ` : ""}job must be a job of the graph that was submitted as this run, or the name that it was given`,
    );
  }

  #checkOpen(): void {
    if (this.#connection.watch.closed) throw closed();
  }

  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#connection.watch.add(this.id, this.#watcher);
  }

  async #onStatus(status: RunStatus | undefined): Promise<void> {
    if (status === undefined) return this.#end(new UnknownRunError(this.id));
    const { completed, failed, cancelled } = status;
    const now = `${completed} ${failed} ${cancelled}`;
    const isNew = now !== this.#last;
    await this.#deliver();
    if (status.ended !== undefined && this.#ended !== undefined) {
      this.#ended.resolve(await this.#report(status));
      this.#ended = undefined;
    }
    if (status.ended !== undefined && this.#waiting.size === 0) this.#stopWatching();
    this.#last = now;
    // Last of all: a listener may throw.
    if (isNew) this.emit("progress", status);
  }

  async #deliver(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const { store } = this.#connection;
    const wanted = [...this.#waiting.keys()].map((job) => ({ run: this.id, job }));
    const outcomes = await store.outcomes(wanted);
    const causes = await this.#causesOf(outcomes);
    for (const outcome of outcomes) {
      for (const { resolve, reject } of this.#waiting.get(outcome.job) ?? []) {
        try {
          if (outcome.state === COMPLETED) resolve(valueFromText(outcome.value));
          else reject(toError(this.#failureOf(outcome, causes)));
        } catch (error) {
          reject(error as Error);
        }
      }
      this.#waiting.delete(outcome.job);
    }
  }

  /** The failures that kept others from running, by number of the job. */
  async #causesOf(outcomes: readonly Outcome[]): Promise<ReadonlyMap<number, Failure>> {
    const firsts = new Set(outcomes.filter(({ state }) => state === DEPENDENCY_FAILED).map(({ first }) => first!));
    if (firsts.size === 0) return new Map();
    const causes = await this.#connection.store.outcomes([...firsts].map((job) => ({ run: this.id, job })));
    return new Map(causes.map((cause) => [cause.job, this.#failureOf(cause, new Map())]));
  }

  #failureOf({ job, state, value, first }: Outcome, causes: ReadonlyMap<number, Failure>): Failure {
    const name = this.#plan.nameOf(job);
    if (state === FAILED) return failureFromText(value, name);
    if (state === DEPENDENCY_FAILED) return { kind: "dependency", job: name, first: causes.get(first!)! };
    return {
      kind: "cancelled",
      job: name,
      started: false,
      cause: new DOMException("the run was cancelled", "AbortError"),
    };
  }

  async #report(status: RunStatus): Promise<RunReport> {
    const failed = status.failed > 0 ? await this.#connection.store.failures(this.id, MOST_FAILURES) : [];
    const failures = failed.map((outcome) => ({
      job: this.#plan.nameOf(outcome.job),
      error: toError(this.#failureOf(outcome, new Map())),
    }));
    return { ...status, failures };
  }

  #stopWatching(): void {
    this.#watching = false;
    this.#connection.watch.remove(this.id, this.#watcher);
  }

  /** No more is heard of it. */
  #end(error: Error): void {
    const waiting = [...this.#waiting.values()].flat();
    if (this.#ended !== undefined) waiting.push(this.#ended);
    this.#waiting.clear();
    this.#ended = undefined;
    this.#stopWatching();
    for (const { reject } of waiting) reject(error);
  }
}

function closed(): ShutdownError {
  return new ShutdownError("the cluster was closed; the run goes on: attach to it from another process");
}
