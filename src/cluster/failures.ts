/**
 * Jobs that failed for good. pg-boss leaves the jobs that depend on such a one blocked for ever, and puts it into a queue
 * of its own, whether it threw as often as it might or its worker was lost. From there it is taken: it and all that
 * depends on it get their outcomes, and the latter are cancelled.
 */
import type { JobWithMetadata } from "pg-boss";
import type { Failure } from "../values/failures.js";
import type { Database } from "./database.js";
import { UnknownRunError, WorkerLostError } from "./errors.js";
import { grouped } from "./grouped.js";
import { jobIdOf, placeOf } from "./ids.js";
import { FAILED_QUEUE, HEARTBEAT, type JobData } from "./queues.js";
import { COMPLETED, DEPENDENCY_FAILED, FAILED, type Store } from "./store.js";
import { failureToText } from "./values.js";

/** How often to look though no job of this worker has failed, in milliseconds. */
const LOOK_EVERY = 2000;
/** The same where there are no workers in other processes, which may be lost. */
const LOOK_EVERY_EMBEDDED = 10_000;
/** Failures that are taken at once. */
const BATCH = 512;

export class Failures {
  readonly #database: Database;
  readonly #store: Store;
  readonly #report: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(database: Database, store: Store, report: (error: Error) => void) {
    this.#database = database;
    this.#store = store;
    this.#report = report;
    this.#timer = setInterval(() => this.look(), database.embedded ? LOOK_EVERY_EMBEDDED : LOOK_EVERY);
  }

  /** There may be failures. */
  look(): void {
    this.#again = true;
    if (!this.#closed) this.#looking ??= this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { boss } = this.#database;
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        const failed = await boss.fetch<JobData>(FAILED_QUEUE, { batchSize: BATCH, includeMetadata: true });
        for (const [run, some] of grouped(failed, ({ sourceId }) => placeOf(sourceId!).run)) {
          try {
            await this.#failAll(run, some);
            await boss.complete(FAILED_QUEUE, some);
          } catch (error) {
            // Those of other runs must not wait for it. It is taken again in a moment.
            this.#report(error as Error);
            await boss.fail(FAILED_QUEUE, some);
          }
        }
        this.#again ||= failed.length === BATCH;
      } catch (error) {
        if (!this.#closed) this.#report(error as Error);
      }
    }
    this.#looking = undefined;
  }

  /** Fails jobs of one run, and all that depends on them. May be done again when it has failed half way. */
  async #failAll(run: string, some: readonly JobWithMetadata<JobData>[]): Promise<void> {
    const { boss } = this.#database;
    const db = boss.getDb();
    const plan = await this.#store.planOf(run).catch((error: unknown) => {
      if (error instanceof UnknownRunError) return undefined;
      throw error;
    });
    // The run was deleted: there is nothing left to be told.
    if (plan === undefined) return;
    const jobs = new Map(some.map((failed) => [placeOf(failed.sourceId!).job, failed]));
    await this.#store.record(
      db,
      [...jobs].map(([job, failed]) => ({
        run,
        job,
        state: FAILED,
        value: textOf(failed, plan.nameOf(job)),
        first: null,
      })),
    );
    // A result may have been written before, by an attempt that was given up too soon: then it counts.
    const firsts = new Map<number, number>();
    for (const { job, state } of await this.#store.outcomes([...jobs.keys()].map((each) => ({ run, job: each })))) {
      const { sourceName, sourceId } = jobs.get(job)!;
      // Whoever gets it again finds the result and completes the job, so that what depends on it can go on.
      if (state === COMPLETED) await boss.retry(sourceName!, sourceId!);
      if (state !== FAILED) continue;
      for (const dependant of plan.dependantsOf(job)) if (!firsts.has(dependant)) firsts.set(dependant, job);
    }
    await this.#store.record(
      db,
      [...firsts].map(([job, first]) => ({ run, job, state: DEPENDENCY_FAILED, value: "", first })),
    );
    for (const [queue, each] of grouped(firsts.keys(), (job) => plan.queueOf(job))) {
      await boss.cancel(
        queue,
        each.map((job) => jobIdOf(run, job)),
      );
    }
  }
}

const LOST: Record<string, string> = {
  "job heartbeat timeout": `its worker was lost: it was not heard of for ${HEARTBEAT} seconds`,
  "job timed out": "it took longer than 24 hours",
};

/** Why it failed: what its worker has written, or else pg-boss, which has not heard of its worker any more. */
function textOf({ sourceOutput, sourceRetryCount, data }: JobWithMetadata<JobData>, name: string): string {
  // Version 0.1 wrote it as pg-boss's output.
  const { failure = data.failure, value } = (sourceOutput ?? {}) as { failure?: string; value?: { message?: string } };
  const why = value?.message ?? "its worker was lost";
  if (failure !== undefined && LOST[why] === undefined) return failure;
  const attempt = (sourceRetryCount ?? 0) + 1 - (data.forgiven ?? 0) - (data.returned ?? 0);
  const error = new WorkerLostError(`${LOST[why] ?? why}; this was attempt ${attempt}, and the last one`);
  const lost: Failure = { kind: "threw", job: name, error };
  return failureToText(lost);
}
