/** Writes what came of jobs: of all those that have ended meanwhile at once, one write after the other. */
import { Backoff } from "./backoff.js";
import type { Database } from "./database.js";
import { grouped } from "./grouped.js";
import type { Held } from "./held.js";
import type { Ended } from "./local.js";
import { failJobs, nameOf, READY } from "./queues.js";
import { COMPLETED, type Outcome, type Store } from "./store.js";
import { failureToText } from "./values.js";

/** Tries to write when the worker is to stop: the rest is run again by others. */
const LAST_TRIES = 3;
/** How long outcomes are gathered at most before they are written, in milliseconds; no longer than jobs end in each turn of the event loop. */
const LONGEST_GATHERING = 20;
/** Characters of results in one write, and a bit more. */
const MOST_TEXT = 2 ** 24;
/** Errors of PostgreSQL that have nothing to do with what was written: connections, resources, rollbacks, operators, a schema that is not there. */
const PASSING = /^(08|25006|3F000|40|42P01|42883|42704|53|55|57|58|XX)/;

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
    // What ends in the same turn of the event loop, or in turns that follow each other, is written together.
    const late = performance.now() + LONGEST_GATHERING;
    for (let before = 0; this.#ended.size > before && performance.now() < late; ) {
      before = this.#ended.size;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const backoff = new Backoff();
    let failed = 0;
    let most = Number.POSITIVE_INFINITY;
    while (this.#ended.size > 0 && !(this.#closing && failed >= LAST_TRIES)) {
      const some = this.#next(most);
      try {
        await this.#settle(some);
        for (const [held] of some) this.#ended.delete(held);
        this.#onSettled(
          some.map(([held]) => held),
          some.some(([, ended]) => "failure" in ended),
        );
        backoff.reset();
        failed = 0;
        most *= 2;
      } catch (error) {
        this.#report(error as Error);
        failed++;
        if (some.length === 1 && !isPassing(error)) this.#giveUp(some[0][0], error);
        // One that can't be written must not keep the others from it.
        most = Math.max(1, some.length >> 1);
        await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      }
    }
    this.#writing = undefined;
  }

  /** As many as fit into one write, in the order in which they ended. */
  #next(most: number): (readonly [Held, Ended])[] {
    const some: (readonly [Held, Ended])[] = [];
    let text = 0;
    for (const each of this.#ended) {
      if (some.length >= most || text > MOST_TEXT) break;
      some.push(each);
      if ("result" in each[1]) text += each[1].result.length;
    }
    return some;
  }

  /** The job fails with what the database has said of its outcome. */
  #giveUp(held: Held, error: unknown): void {
    this.#ended.set(held, { failure: { kind: "threw", job: nameOf(held.data), error } });
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
      if (completed.some(({ data }) => data.elsewhere)) await this.#store.notify(boss.getDb(), READY);
    }
    const failed = some.flatMap(([held, ended]) =>
      "failure" in ended ? [{ ...held, failure: failureToText(ended.failure) }] : [],
    );
    if (failed.length === 0) return;
    await this.#database.transaction(async (sql) => {
      for (const [queue, each] of grouped(failed, (held) => held.queue)) {
        await failJobs(boss, sql, this.#database.schemaInSql, queue, each);
      }
    });
  }
}

/** Whether an error is likely to pass: the database is away, or busy. */
function isPassing(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  if (error instanceof RangeError || error instanceof TypeError) return false;
  return typeof code !== "string" || code.length !== 5 || PASSING.test(code);
}
