/** Writes what came of jobs: of all those that have ended meanwhile at once, one write after the other. */
import type { Database } from "./database.js";
import { grouped } from "./grouped.js";
import type { Ended } from "./local.js";
import type { JobData } from "./queues.js";
import { COMPLETED, type Outcome, type Store } from "./store.js";
import { failureToText } from "./values.js";

/** A job that this worker has fetched: `id` and `retryCount` name the attempt. */
export interface Held {
  readonly id: string;
  readonly retryCount: number;
  readonly queue: string;
  readonly data: JobData;
  readonly place: { readonly run: string; readonly job: number };
  /** Asks it to stop. */
  readonly abort: AbortController;
}

/** How long to wait for the database after an error, in milliseconds: at first, and at the most. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 5000;
/** Tries to write when the worker is to stop: the rest is run again by others. */
const LAST_TRIES = 3;

export class Settler {
  readonly #database: Database;
  readonly #store: Store;
  readonly #report: (error: Error) => void;
  /** Called with those whose outcomes are written, and whether any of them has failed. */
  readonly #onSettled: (settled: readonly Held[], failed: boolean) => void;
  readonly #ended = new Map<Held, Ended>();
  #writing: Promise<void> | undefined;
  #closing = false;

  constructor(
    database: Database,
    store: Store,
    report: (error: Error) => void,
    onSettled: (settled: readonly Held[], failed: boolean) => void,
  ) {
    this.#database = database;
    this.#store = store;
    this.#report = report;
    this.#onSettled = onSettled;
  }

  /** Whether what came of the job is being written. */
  has(held: Held): boolean {
    return this.#ended.has(held);
  }

  add(held: Held, ended: Ended): void {
    this.#ended.set(held, ended);
    this.#writing ??= this.#write();
  }

  /** Writes what there is, unless the database can't be reached. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#writing;
  }

  async #write(): Promise<void> {
    // What ends in the same turn of the event loop is written at once.
    await new Promise((resolve) => setImmediate(resolve));
    let delay = FIRST_DELAY;
    let failed = 0;
    while (this.#ended.size > 0 && !(this.#closing && failed >= LAST_TRIES)) {
      const some = [...this.#ended];
      try {
        await this.#settle(some);
        for (const [held] of some) this.#ended.delete(held);
        this.#onSettled(
          some.map(([held]) => held),
          some.some(([, ended]) => "failure" in ended),
        );
        delay = FIRST_DELAY;
        failed = 0;
      } catch (error) {
        this.#report(error as Error);
        failed++;
        await new Promise((resolve) => setTimeout(resolve, delay));
        delay = Math.min(2 * delay, LONGEST_DELAY);
      }
    }
    this.#writing = undefined;
  }

  /** May be done again when it has failed half way: outcomes are written once, and jobs are settled once. */
  async #settle(some: readonly (readonly [Held, Ended])[]): Promise<void> {
    const { boss } = this.#database;
    const completed: Held[] = [];
    const outcomes: Outcome[] = [];
    for (const [held, ended] of some) {
      if (!("result" in ended)) continue;
      completed.push(held);
      outcomes.push({ ...held.place, state: COMPLETED, value: ended.result, first: null });
    }
    if (completed.length > 0) {
      await this.#database.transaction(async (sql) => {
        await this.#store.record(sql, outcomes);
        for (const [queue, held] of grouped(completed, ({ queue }) => queue)) {
          await boss.complete(queue, held, null, { db: sql });
        }
      });
      if (completed.some(({ data }) => data.blocks)) await boss.resolveFlow();
    }
    for (const [held, ended] of some) {
      if ("failure" in ended) await boss.fail(held.queue, held, { failure: failureToText(ended.failure) });
    }
  }
}
