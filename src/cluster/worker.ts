/**
 * A worker: takes jobs that are ready from the database, runs them on a local job system, and writes what came of them.
 *
 * It holds a few jobs more than it has threads, so that these need not wait for the database, and as many as it can do
 * in about a tenth of a second where they are small; not more, lest other workers have nothing to do.
 */
import type { Database } from "./database.js";
import { Failures } from "./failures.js";
import type { ClusterFunctions } from "./functions.js";
import { grouped } from "./grouped.js";
import { placeOf } from "./ids.js";
import { type LocalOptions, LocalSystem } from "./local.js";
import { HEARTBEAT, type JobData, READY } from "./queues.js";
import { type Held, Settler } from "./settler.js";
import { COMPLETED, type Store } from "./store.js";

/** Options of `Cluster.startWorker`: as for `JobSystem.create`. */
export type WorkerOptions = LocalOptions;

/** How often to look for ready jobs though nothing was notified of, in milliseconds. */
const LOOK_EVERY = 1000;
/** How often to say that the jobs in hand are still worked at, in milliseconds. */
const TOUCH_EVERY = (HEARTBEAT * 1000) / 4;
/** Jobs held at once at the most. */
const MOST_HELD = 512;
/** How long a job should be in hand, from being fetched until it has run, in milliseconds. */
const IN_HAND = 100;
/** Not more often than this are others told that jobs are left for them, in milliseconds. */
const TELL_EVERY = 50;
/** How long to wait for the database after an error, in milliseconds: at first, and at the most. */
const FIRST_DELAY = 100;
const LONGEST_DELAY = 5000;
const GRACE = 30_000;

/** A worker of a cluster, made by `Cluster.startWorker`. */
export class ClusterWorker {
  /** Settles when it has stopped. */
  readonly stopped: Promise<void>;
  readonly #database: Database;
  readonly #store: Store;
  readonly #local: LocalSystem;
  readonly #report: (error: Error) => void;
  readonly #queues: readonly string[];
  readonly #held = new Map<string, Held>();
  readonly #settler: Settler;
  readonly #failures: Failures;
  readonly #touching: NodeJS.Timeout;
  /** How many jobs to hold, until what came of them is written. */
  #capacity: number;
  /** For how long jobs were in hand that have ended lately, all together, in milliseconds; and how many. */
  #inHand = 0;
  #ended = 0;
  #stopping: Promise<void> | undefined;
  /** Ends the present wait. */
  #wake: () => void = () => {};
  /** Something has happened since the last look for jobs. */
  #awake = true;
  #told = 0;

  /** @internal */
  static async start(
    database: Database,
    store: Store,
    functions: ClusterFunctions,
    maxBytes: number,
    options: WorkerOptions,
    report: (error: Error) => void,
  ): Promise<ClusterWorker> {
    const local = await LocalSystem.create(functions, maxBytes, options, report);
    return new ClusterWorker(database, store, local, functions.queues, report);
  }

  private constructor(
    database: Database,
    store: Store,
    local: LocalSystem,
    queues: readonly string[],
    report: (error: Error) => void,
  ) {
    this.#database = database;
    this.#store = store;
    this.#local = local;
    this.#queues = queues;
    this.#report = report;
    this.#capacity = 2 * local.threads;
    this.#failures = new Failures(database, store, report);
    this.#settler = new Settler(database, store, report, (settled, failed) => this.#onSettled(settled, failed));
    this.#touching = setInterval(() => void this.#touch(), TOUCH_EVERY);
    this.stopped = this.#work();
  }

  /**
   * Takes no more jobs, and waits for those in hand. What has not finished in time is asked to stop and given back:
   * another worker runs it, which counts as one of its attempts.
   *
   * @param options timeout: how long to wait, in milliseconds, 0 or more; by default 30,000
   */
  async stop({ timeout = GRACE }: { timeout?: number } = {}): Promise<void> {
    if (typeof timeout !== "number" || !(timeout >= 0)) {
      throw new RangeError(`timeout must be a number of milliseconds, 0 or more, not ${String(timeout)}`);
    }
    this.#stopping ??= this.#stop(timeout);
    await this.#stopping;
    await this.stopped;
  }

  /** How many jobs it has in hand. */
  get running(): number {
    return this.#held.size;
  }

  /** @internal Jobs may be ready. */
  wake(): void {
    this.#awake = true;
    this.#wake();
  }

  /** @internal A run was cancelled: its jobs are asked to stop. */
  cancelled(run: string): void {
    for (const held of this.#held.values()) {
      if (held.place.run === run) held.abort.abort(new DOMException("the run was cancelled", "AbortError"));
    }
  }

  async #work(): Promise<void> {
    let delay = FIRST_DELAY;
    while (this.#stopping === undefined) {
      try {
        this.#awake = false;
        const room = this.#capacity - this.#held.size;
        const more = room > 0 && 2 * room >= this.#capacity && (await this.#fetch(room)) === room;
        // As many as there was room for: there may be more.
        if (!more && !this.#awake) await this.#rest(LOOK_EVERY);
        delay = FIRST_DELAY;
      } catch (error) {
        if (this.#stopping === undefined) this.#report(error as Error);
        await this.#rest(delay);
        delay = Math.min(2 * delay, LONGEST_DELAY);
      }
    }
    await this.#stopping;
  }

  /** Waits until it is woken. */
  async #rest(milliseconds: number): Promise<void> {
    if (this.#stopping !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  /** Takes ready jobs and starts them. @returns how many */
  async #fetch(room: number): Promise<number> {
    const { boss } = this.#database;
    const all: Held[] = [];
    for (const queue of this.#queues) {
      if (all.length === room) break;
      const jobs = await boss.fetch<JobData>(queue, { batchSize: room - all.length });
      for (const { id, data, retryCount } of jobs) {
        const place = placeOf(id);
        all.push({ id, retryCount, queue, data, place, abort: new AbortController() });
      }
    }
    for (const held of all) this.#held.set(held.id, held);
    if (all.length === room) await this.#tell();
    if (all.length > 0) await this.#start(all);
    return all.length;
  }

  /** Where there is more than fits here, others may help. */
  async #tell(): Promise<void> {
    const now = performance.now();
    if (now - this.#told < TELL_EVERY) return;
    this.#told = now;
    await this.#store.notify(this.#database.boss.getDb(), READY);
  }

  async #start(all: readonly Held[]): Promise<void> {
    const known = await this.#outcomesFor(all);
    for (const held of all) {
      const { id, data, place, abort } = held;
      const before = known.get(id);
      if (before !== undefined) {
        // An earlier attempt's result was written; only its job could not be completed any more.
        this.#settler.add(held, { result: before });
        continue;
      }
      const results = (data.uses ?? []).map(([, job]) => known.get(`${place.run} ${job}`)!);
      const start = performance.now();
      void this.#local.run(id, data, results, abort.signal).then((ended) => {
        this.#inHand += performance.now() - start;
        this.#ended++;
        if (this.#held.get(id) === held) this.#settler.add(held, ended);
      });
    }
  }

  /** Results of the jobs that are arguments, by run and number; and by id, those of jobs that have one already. */
  async #outcomesFor(all: readonly Held[]): Promise<ReadonlyMap<string, string>> {
    const wanted = all.flatMap(({ data, place }) => (data.uses ?? []).map(([, job]) => ({ run: place.run, job })));
    const again = all.filter(({ retryCount }) => retryCount > 0);
    wanted.push(...again.map(({ place }) => place));
    const known = new Map<string, string>();
    if (wanted.length === 0) return known;
    const unique = new Map(wanted.map((place) => [`${place.run} ${place.job}`, place]));
    for (const { run, job, state, value } of await this.#store.outcomes([...unique.values()])) {
      if (state === COMPLETED) known.set(`${run} ${job}`, value);
    }
    for (const { id, place } of again) {
      const value = known.get(`${place.run} ${place.job}`);
      if (value !== undefined) known.set(id, value);
    }
    return known;
  }

  #onSettled(settled: readonly Held[], failed: boolean): void {
    for (const held of settled) if (this.#held.get(held.id) === held) this.#held.delete(held.id);
    this.#adapt();
    if (failed) this.#failures.look();
    this.wake();
  }

  /** Holds more jobs, or fewer, as those that have ended since the last time were in hand for too short or too long. */
  #adapt(): void {
    if (this.#ended === 0) return;
    const mean = this.#inHand / this.#ended;
    if (mean < IN_HAND / 2) this.#capacity = Math.min(2 * this.#capacity, MOST_HELD);
    else if (mean > 2 * IN_HAND) this.#capacity = Math.max(this.#capacity >> 1, 2 * this.#local.threads);
    this.#inHand = 0;
    this.#ended = 0;
  }

  /** Says that the jobs in hand are worked at. Those that are no longer this worker's are asked to stop. */
  async #touch(): Promise<void> {
    try {
      for (const [queue, some] of grouped(this.#held.values(), (held) => held.queue)) {
        const { settled } = (await this.#database.boss.touch(queue, some)) as { settled?: readonly string[] };
        const still = new Set(settled);
        for (const held of some) {
          if (settled === undefined || still.has(held.id) || this.#settler.has(held)) continue;
          this.#drop(held, "the job was cancelled, or given to another worker");
        }
      }
    } catch (error) {
      this.#report(error as Error);
    }
  }

  #drop(held: Held, why: string): void {
    if (this.#held.get(held.id) === held) this.#held.delete(held.id);
    held.abort.abort(new DOMException(why, "AbortError"));
    this.wake();
  }

  async #stop(timeout: number): Promise<void> {
    const end = performance.now() + timeout;
    this.wake();
    while (this.#held.size > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(20, end - performance.now())));
    }
    clearInterval(this.#touching);
    const left = [...this.#held.values()].filter((held) => !this.#settler.has(held));
    this.#held.clear();
    for (const { abort } of left) abort.abort(new DOMException("the worker stops", "AbortError"));
    await this.#giveBack(left).catch(this.#report);
    await this.#settler.close();
    await this.#failures.close();
    await this.#local.stop();
  }

  /** Lets other workers have jobs at once. */
  async #giveBack(all: readonly Held[]): Promise<void> {
    if (all.length === 0) return;
    const { boss } = this.#database;
    await this.#database.transaction(async (sql) => {
      for (const [queue, some] of grouped(all, (held) => held.queue)) {
        await boss.cancel(queue, some, { db: sql });
        await boss.resume(
          queue,
          some.map(({ id }) => id),
          { db: sql },
        );
      }
      await this.#store.notify(sql, READY);
    });
  }
}
