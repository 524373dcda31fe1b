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
import { FAILED_QUEUE } from "./queues.js";
import { COMPLETED, DEPENDENCY_FAILED, FAILED, type Store } from "./store.js";
import { failureToText } from "./values.js";

/** How often to look though no job of this worker has failed, in milliseconds. */
const LOOK_EVERY = 2000;
/** Failures that are taken at once. */
const BATCH = 100;

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
    this.#timer = setInterval(() => this.look(), LOOK_EVERY);
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
    while (this.#again && !this.#closed) {
      this.#again = false;
      try {
        const failed = await this.#database.boss.fetch<object>(FAILED_QUEUE, {
          batchSize: BATCH,
          includeMetadata: true,
        });
        for (const job of failed) await this.#fail(job);
        this.#again ||= failed.length === BATCH;
      } catch (error) {
        if (!this.#closed) this.#report(error as Error);
      }
    }
    this.#looking = undefined;
  }

  /** May be done again when it has failed half way. */
  async #fail(failed: JobWithMetadata): Promise<void> {
    const { boss } = this.#database;
    const { run, job } = placeOf(failed.sourceId!);
    try {
      await this.#failWithDependants(run, job, failed);
    } catch (error) {
      // Its run was deleted: there is nothing left to be told.
      if (!(error instanceof UnknownRunError)) throw error;
    }
    await boss.complete(FAILED_QUEUE, failed);
  }

  async #failWithDependants(run: string, job: number, failed: JobWithMetadata): Promise<void> {
    const { boss } = this.#database;
    const plan = await this.#store.planOf(run);
    const [before] = await this.#store.outcomes([{ run, job }]);
    if (before?.state === COMPLETED) {
      // Its result was written, but its worker did not live to complete it: the next one will, and needs not run it.
      await boss.retry(failed.sourceName!, failed.sourceId!);
      return;
    }
    const dependants = plan.dependantsOf(job);
    await this.#store.record(boss.getDb(), [
      { run, job, state: FAILED, value: textOf(failed, plan.nameOf(job)), first: null },
      ...dependants.map((each) => ({ run, job: each, state: DEPENDENCY_FAILED, value: "", first: job })),
    ]);
    for (const [queue, some] of grouped(dependants, (each) => plan.queueOf(each))) {
      await boss.cancel(
        queue,
        some.map((each) => jobIdOf(run, each)),
      );
    }
  }
}

/** Why it failed: what its worker has written, or else pg-boss, which has not heard of its worker any more. */
function textOf({ sourceOutput, sourceRetryCount }: JobWithMetadata, name: string): string {
  const { failure, value } = (sourceOutput ?? {}) as { failure?: string; value?: { message?: string } };
  if (failure !== undefined) return failure;
  const tries = (sourceRetryCount ?? 0) + 1;
  const error = new WorkerLostError(
    `${value?.message ?? "its worker was lost"}; it was tried ${tries} time${tries === 1 ? "" : "s"}`,
  );
  const lost: Failure = { kind: "threw", job: name, error };
  return failureToText(lost);
}
