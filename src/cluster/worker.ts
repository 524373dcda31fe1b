/**
 * A worker: takes jobs that are ready from the database, runs them on a local job system, and writes what came of them.
 *
 * It holds one job for each of its threads and, while jobs are small, as many as it is through with in about a tenth of a
 * second (capacity.ts); not more, lest other workers have nothing to do. What has not begun soon is given back.
 */
import type { Failure } from "../values/failures.js";
import { Backoff } from "./backoff.js";
import { BeginLog } from "./begin-log.js";
import { Capacity } from "./capacity.js";
import type { Database } from "./database.js";
import { earlierThan, NO_RUN, parts, smallResultsFor } from "./earlier.js";
import type { Input } from "./execute.js";
import { Failures } from "./failures.js";
import { type ClusterFunctions, labelOf } from "./functions.js";
import { grouped } from "./grouped.js";
import { Heartbeat } from "./heartbeat.js";
import { type Held, HeldJobs } from "./held.js";
import { placeOf } from "./ids.js";
import { Inputs } from "./inputs.js";
import { type Ended, type LocalOptions, LocalSystem } from "./local.js";
import { LEAST_PRIORITY, Lost } from "./lost.js";
import { Noting } from "./noting.js";
import { addressOfPg } from "./pg.js";
import { giveBackJobs, HEARTBEAT, type JobData, nameOf, nextStart, READY } from "./queues.js";
import { Rounds } from "./rounds.js";
import { Settler } from "./settler.js";
import { COMPLETED, type Store } from "./store.js";

/** Options of `Cluster.startWorker`: as for `JobSystem.create`. */
export type WorkerOptions = LocalOptions;

/** How often to look for ready jobs though nothing was notified of, in milliseconds. */
const LOOK_EVERY = 1000;
/** The same while nothing happens on an embedded database, where all who have jobs for it are in this process and wake it. */
const LOOK_EVERY_EMBEDDED = 10_000;
/** How often to say that the jobs in hand are still worked at, in milliseconds. */
const TOUCH_EVERY = (HEARTBEAT * 1000) / 4;
/** For how long a job may be in hand without having begun, in milliseconds. */
const MOST_WAITING = 1000;
/** Not more often than this are others told that jobs are left for them, in milliseconds. */
const TELL_EVERY = 250;
/** A suspect runs alone, and waits until it is alone, for no longer than so many milliseconds. */
const ALONE = 10_000;
/** How often to look for suspects though nothing was notified of, in milliseconds. */
const SUSPECTS_EVERY = 5000;
/** How long to wait for jobs in hand when it is to stop, in milliseconds. */
const GRACE = 30_000;
/** How much longer a stop waits for a database that does not answer, in milliseconds. */
const LAST_WORDS = 5000;

/** A worker of a cluster, made by `Cluster.startWorker`. */
export class ClusterWorker {
  /** Settles when it has stopped. */
  readonly stopped: Promise<void>;
  readonly #database: Database;
  readonly #store: Store;
  readonly #local: LocalSystem;
  readonly #report: (error: Error) => void;
  readonly #queues: readonly string[];
  readonly #log = BeginLog.open();
  readonly #held = new HeldJobs(this.#log);
  readonly #inputs: Inputs;
  readonly #settler: Settler;
  readonly #failures: Failures;
  /** Says that the jobs in hand are worked at. An embedded database is on this thread itself, and would not hear it. */
  readonly #heartbeat: Heartbeat | undefined;
  readonly #touching: Rounds;
  /** How many jobs to hold, asynchronous ones apart, until what came of them is written. */
  readonly #capacity: Capacity;
  #stopping: Promise<void> | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  /** The deadline is over. */
  #cutOff = false;
  /** It has stopped. */
  #over = false;
  #isStopped: () => void = () => {};
  readonly #loop: Promise<void>;
  /** Ends the present wait. */
  #wake: () => void = () => {};
  /** Something has happened since the last look for jobs. */
  #awake = true;
  #told = 0;
  /** When it looked last, there were as many jobs as it had room for, or more. */
  #plenty = false;
  readonly #lost: Lost;
  /** There may be suspects: see lost.ts. */
  #suspected = true;
  #nextSuspects = 0;
  readonly #noting: Noting;
  readonly #notingAsynchronous: Noting;
  /** Functions that this worker's modules lack. */
  readonly #lacking = new Set<string>();
  /** The queue to begin with, so that none has to wait for all others to be empty. */
  #turn = 0;

  /** @internal */
  static async start(
    database: Database,
    store: Store,
    functions: ClusterFunctions,
    maxBytes: () => number,
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
    // What it still tries once it has stopped is no news.
    const tell = (error: Error) => {
      if (!this.#over) report(error);
    };
    this.#report = tell;
    this.#capacity = new Capacity(local.threads);
    this.#lost = new Lost(database, store, queues, tell);
    const wanted = (held: Held) => this.#held.has(held);
    this.#noting = new Noting(this.#lost, this.#log !== undefined, local.threads, wanted, tell);
    this.#notingAsynchronous = new Noting(this.#lost, this.#log !== undefined, local.mostAsynchronous, wanted, tell);
    this.#inputs = new Inputs(store, local.threads, {
      wanted,
      begin: (held, inputs) => this.#run(held, inputs),
      gone: (held) => this.#finish(held.queue, [held], new Map([[held, NO_RUN]])),
      tooLarge: (held, error) => this.#settle(held, { failure: { kind: "threw", job: nameOf(held.data), error } }),
      report: tell,
    });
    this.#failures = new Failures(database, store, tell);
    this.#settler = new Settler(database, store, tell, (settled, failed) => this.#onSettled(settled, failed));
    const { url, schemaInSql: schema } = database;
    if (url !== undefined) {
      const start = { pg: addressOfPg(), url, schema, every: TOUCH_EVERY };
      this.#heartbeat = new Heartbeat(start, this.#held, tell, (held) => this.#taken(held));
    }
    this.#touching = new Rounds(TOUCH_EVERY, () => this.#touch(), tell);
    this.stopped = new Promise((resolve) => {
      this.#isStopped = resolve;
    });
    this.#loop = this.#work();
  }

  /**
   * Takes no more jobs, gives back those that have not begun, and waits for the others. What has not finished in time is
   * asked to stop, its thread is terminated if it does not at once, and it counts as failed: it is tried again elsewhere if it has
   * retries left.
   *
   * @param options timeout: how long to wait, in milliseconds, 0 or more; by default 30,000. Called again, the
   * shorter time counts. A database that does not answer is waited for 5 seconds more
   */
  async stop({ timeout = GRACE }: { timeout?: number } = {}): Promise<void> {
    if (typeof timeout !== "number" || !(timeout >= 0)) {
      throw new RangeError(`timeout must be a number of milliseconds, 0 or more, not ${String(timeout)}`);
    }
    this.#deadline = Math.min(this.#deadline, performance.now() + timeout);
    this.#stopping ??= this.#stop();
    await this.stopped;
  }

  /** How many jobs it has in hand. */
  get running(): number {
    return this.#held.count;
  }

  /** @internal Jobs may be ready. */
  wake(): void {
    this.#awake = true;
    this.#wake();
  }

  /** @internal There may be suspects. */
  suspects(): void {
    this.#suspected = true;
    this.wake();
  }

  /** @internal A run was cancelled: its jobs are asked to stop. */
  cancelled(run: string): void {
    this.#held.abortRun(run, new DOMException("the run was cancelled", "AbortError"));
  }

  async #work(): Promise<void> {
    const backoff = new Backoff();
    let quiet = false;
    while (this.#stopping === undefined) {
      try {
        this.#awake = false;
        if (this.#suspected || performance.now() >= this.#nextSuspects) await this.#runSuspects();
        const room = this.#room();
        const looks = this.#fetches(room);
        if (looks) this.#plenty = (await this.#fetch(room)) === room;
        const more = looks && this.#plenty;
        // As many as there was room for: there may be more.
        const rest = more || this.#awake ? 0 : await this.#untilNextLook(quiet);
        if (rest > 0 && !this.#awake) await this.#rest(rest);
        quiet = !more && !this.#awake;
        backoff.reset();
      } catch (error) {
        this.#report(error as Error);
        await this.#rest(backoff.next());
      }
    }
  }

  /** How many jobs it may fetch. Where many are ready, a job leaves its place when it ends, else when its outcome is written. */
  #room(): number {
    const { count, asynchronous, ended } = this.#held;
    // It could not begin with more soon.
    if (this.#inputs.waiting > 0) return 0;
    if (asynchronous >= this.#local.mostAsynchronous) return 0;
    const { jobs } = this.#capacity;
    const synchronous = count - asynchronous;
    return this.#plenty ? Math.min(jobs - (synchronous - ended), 2 * jobs - synchronous) : jobs - synchronous;
  }

  /** Whether it is worth asking: few at a time cost as much as many. */
  #fetches(room: number): boolean {
    return 2 * room >= this.#capacity.jobs;
  }

  /** @param quiet whether nothing has happened since the last look @returns milliseconds */
  async #untilNextLook(quiet: boolean): Promise<number> {
    if (!quiet || !this.#database.embedded) return LOOK_EVERY;
    const next = await nextStart(this.#database, this.#queues);
    return Math.min(Math.max(next, LOOK_EVERY), LOOK_EVERY_EMBEDDED);
  }

  /** Waits until it is woken, or told to stop. */
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

  /** Takes ready jobs, and starts those whose functions it has. @returns how many @throws what the database does, when it has started what it got */
  async #fetch(room: number): Promise<number> {
    const { boss } = this.#database;
    const all: Held[] = [];
    let failed: { error: unknown } | undefined;
    this.#turn++;
    for (let k = 0; k < this.#queues.length && all.length < room && failed === undefined; k++) {
      const queue = this.#queues[(this.#turn + k) % this.#queues.length];
      try {
        const jobs = await boss.fetch<JobData>(queue, {
          batchSize: room - all.length,
          minPriority: LEAST_PRIORITY,
          ignoreGroups: [...this.#lacking],
        });
        for (const job of jobs) all.push(this.#hold(queue, job));
      } catch (error) {
        failed = { error };
      }
    }
    if (all.length === room) this.#tell();
    await this.#begin(all);
    if (failed !== undefined) throw failed.error;
    return all.length;
  }

  /**
   * Runs suspects, one after the other. Each begins when the worker has no other job, and while it runs, no other is fetched. Both
   * have a limit: ALONE.
   */
  async #runSuspects(): Promise<void> {
    this.#suspected = true;
    while (this.#stopping === undefined && (await this.#lost.anySuspect())) {
      await this.#restUntil(() => this.#held.count === 0, ALONE);
      const held = await this.#fetchSuspect();
      if (held === undefined) break;
      await this.#begin([held]);
      await this.#restUntil(() => !this.#held.has(held), ALONE);
    }
    this.#suspected = false;
    this.#nextSuspects = performance.now() + SUSPECTS_EVERY;
  }

  async #fetchSuspect(): Promise<Held | undefined> {
    for (const queue of this.#queues) {
      if (this.#stopping !== undefined) return undefined;
      const [job] = await this.#database.boss.fetch<JobData>(queue, {
        batchSize: 1,
        maxPriority: LEAST_PRIORITY - 1,
        ignoreGroups: [...this.#lacking],
      });
      if (job !== undefined) return this.#hold(queue, job);
    }
    return undefined;
  }

  /** Waits for something that this worker is woken for, at most for `milliseconds`. */
  async #restUntil(isDone: () => boolean, milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    while (!isDone() && this.#stopping === undefined) {
      const left = end - performance.now();
      if (left <= 0) return;
      await this.#rest(left);
    }
  }

  /** Starts those whose functions it has, and leaves the others. */
  async #begin(all: readonly Held[]): Promise<void> {
    await this.#start(all.filter(({ data }) => this.#local.knows(data.fn)));
    await this.#leaveToOthers(all.filter(({ data }) => !this.#local.knows(data.fn)));
  }

  /** Gives back jobs whose functions this worker lacks, and takes none of them again. */
  async #leaveToOthers(unknown: readonly Held[]): Promise<void> {
    for (const fn of new Set(unknown.map(({ data }) => data.fn))) {
      if (this.#lacking.has(fn)) continue;
      this.#lacking.add(fn);
      this.#report(
        new Error(
          `this worker's module ${fn.split(".", 1)[0]} has no function "${labelOf(fn)}": is it older than the graph? its jobs are left to others`,
        ),
      );
    }
    await this.#giveBack(
      unknown.filter((held) => this.#held.has(held)),
      true,
    );
  }

  #hold(queue: string, { id, data, retryCount }: { id: string; data: JobData; retryCount: number }): Held {
    const before = this.#held.get(id);
    // It has counted as lost, and this worker has not heard of that yet.
    if (before !== undefined) this.#drop(before);
    const held: Held = {
      id,
      retryCount,
      queue,
      data,
      place: placeOf(id),
      asynchronous: this.#local.isAsynchronous(data.fn),
      abort: () => {},
      since: performance.now(),
      noted: false,
      ended: false,
      mark: undefined,
      withdraw: () => true,
    };
    this.#held.add(held);
    return held;
  }

  /** Where there is more than fits here, others may help; should they not hear of it, they look by themselves. */
  #tell(): void {
    const now = performance.now();
    if (now - this.#told < TELL_EVERY) return;
    this.#told = now;
    this.#store.notify(this.#database.boss.getDb(), READY).catch(this.#report);
  }

  /** Starts jobs, as soon as the database has told what they need. */
  async #start(all: readonly Held[]): Promise<void> {
    for (const part of parts(all)) await this.#startPart(part);
  }

  async #startPart(all: readonly Held[]): Promise<void> {
    const backoff = new Backoff();
    while (this.#stopping === undefined) {
      try {
        const { over, results } = await earlierThan(this.#store, all);
        const gone = all.filter((held) => over.has(held));
        for (const [queue, some] of grouped(gone, (held) => held.queue)) await this.#finish(queue, some, over);
        for (const held of all) {
          if (!this.#held.has(held)) continue;
          const small = smallResultsFor(held, results);
          if (small === undefined) this.#inputs.add(held);
          else void this.#run(held, small);
        }
        return;
      } catch (error) {
        this.#report(error as Error);
        await this.#rest(backoff.next());
      }
    }
  }

  /** Settles when it has ended, or was withdrawn. */
  async #run(held: Held, inputs: readonly Input[]): Promise<void> {
    if (held.data.once !== true && held.data.suspect !== true) return await this.#runNow(held, inputs);
    const noting = this.#notingFor(held);
    if (await noting.note(held)) await this.#runNow(held, inputs);
    else if (this.#held.remove(held)) this.wake();
    noting.ended(held);
  }

  #notingFor({ asynchronous }: Held): Noting {
    return asynchronous ? this.#notingAsynchronous : this.#noting;
  }

  async #runNow(held: Held, inputs: readonly Input[]): Promise<void> {
    const { id, data } = held;
    const start = performance.now();
    // From now on it waits for a thread.
    held.since = start;
    const { ended, withdraw, abort } = this.#local.run(id, data, inputs, held.mark, this.#held.signalOf(held));
    held.withdraw = withdraw;
    held.abort = abort;
    const outcome = await ended;
    if (!this.#held.has(held) || outcome === undefined) return;
    // That it was asked to stop is not the job's failure.
    if (this.#cutOff && "failure" in outcome) return;
    if ("failure" in outcome && this.#mayBeInnocent(held, outcome.failure)) {
      if (this.#held.remove(held)) await this.#lost.suspect(held).catch(this.#report);
      return this.wake();
    }
    if ("failure" in outcome && outcome.failure.kind === "crashed" && held.noted)
      await this.#lost.blame(held).catch(this.#report);
    this.#capacity.note(performance.now() - start);
    this.#settle(held, outcome);
  }

  /** Has what came of a job written. Meanwhile another job may have its place. */
  #settle(held: Held, ended: Ended): void {
    this.#held.end(held);
    this.#settler.add(held, ended);
    if (this.#plenty && this.#fetches(this.#room())) this.wake();
  }

  /** Whether it ended with its thread, on which there may have been others. */
  #mayBeInnocent(held: Held, failure: Failure): boolean {
    return failure.kind === "crashed" && held.asynchronous && !held.noted;
  }

  /** Ends jobs that another attempt, or cancelling their run, has given an outcome already: they need not run. */
  async #finish(queue: string, some: readonly Held[], over: ReadonlyMap<Held, number>): Promise<void> {
    const { boss } = this.#database;
    const completed = some.filter((held) => over.get(held) === COMPLETED);
    const others = some.filter((held) => over.get(held) !== COMPLETED);
    if (completed.length > 0) {
      await boss.complete(queue, completed);
      await boss.resolveFlow();
    }
    if (others.length > 0) await boss.cancel(queue, others);
    for (const held of some) this.#held.remove(held);
    this.wake();
  }

  #onSettled(settled: readonly Held[], failed: boolean): void {
    for (const held of settled) this.#held.remove(held);
    this.#capacity.adapt();
    if (failed) this.#failures.look();
    this.wake();
  }

  /** Gives back what waits and, where no thread does, says that the jobs in hand are worked at. */
  async #touch(): Promise<void> {
    await this.#giveBackWaiting();
    if (this.#heartbeat !== undefined) return;
    for (const [queue, some] of grouped(this.#held, (held) => held.queue)) {
      const { settled } = (await this.#database.boss.touch(queue, some)) as { settled?: readonly string[] };
      if (settled === undefined) continue;
      const still = new Set(settled);
      for (const held of some) if (!still.has(held.id)) this.#taken(held);
    }
  }

  /** A job is no longer this worker's: it is asked to stop. */
  #taken(held: Held): void {
    if (this.#settler.has(held) || !this.#held.has(held)) return;
    this.#drop(held);
    this.wake();
  }

  #drop(held: Held): void {
    this.#held.remove(held);
    held.abort(new DOMException("the job was cancelled, or given to another worker", "AbortError"));
  }

  /** Jobs that wait behind long ones may begin sooner elsewhere. */
  async #giveBackWaiting(): Promise<void> {
    const now = performance.now();
    const waiting = [...this.#held].filter(({ since }) => now - since > MOST_WAITING);
    const withdrawn = waiting.filter((held) => !this.#settler.has(held) && held.withdraw());
    if (withdrawn.length === 0) return;
    this.#capacity.shrink();
    await this.#giveBack(withdrawn);
  }

  async #stop(): Promise<void> {
    this.wake();
    await this.#inTime(this.#giveBackAll());
    while (this.#held.count > 0 && performance.now() < this.#deadline) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(20, this.#deadline - performance.now())));
    }
    this.#cutOff = true;
    this.#held.abortAll(new DOMException("the worker stops", "AbortError"));
    // Only then may others have what has not ended: it must not run twice at once.
    await this.#local.stop();
    await this.#inTime(this.#lastWords());
    this.#log?.close();
    await this.#heartbeat?.close();
    this.#held.clear();
    this.#over = true;
    this.#isStopped();
  }

  async #giveBackAll(): Promise<void> {
    await this.#loop;
    // What was fetched last and not started can be withdrawn, too.
    const withdrawn = [...this.#held].filter((held) => !this.#settler.has(held) && held.withdraw());
    await this.#giveBack(withdrawn).catch(this.#report);
  }

  /** Tells the database what came of the jobs in hand. */
  async #lastWords(): Promise<void> {
    await this.#touching.close();
    this.#failAsStopped([...this.#held].filter((held) => !this.#settler.has(held)));
    await this.#settler.close();
    await this.#failures.close();
    await this.#lost.close();
  }

  /** Waits for `work`, no longer than a stop may take. What the database does not hear of is run again when it counts as lost. */
  async #inTime(work: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      // Another call of `stop` may bring the deadline forward.
      const look = () => {
        const left = this.#deadline + LAST_WORDS - performance.now();
        if (left <= 0) resolve();
        else timer = setTimeout(look, Math.min(left, LAST_WORDS));
      };
      look();
    });
    await Promise.race([work, late]);
    clearTimeout(timer);
  }

  /** Lets other workers have jobs that have not begun, at once. @param lacking whether this one lacks their functions */
  async #giveBack(all: readonly Held[], lacking = false): Promise<void> {
    if (all.length === 0) return;
    for (const held of all) {
      this.#held.remove(held);
      this.#notingFor(held).ended(held);
    }
    await this.#database.transaction(async (sql) => {
      for (const [queue, some] of grouped(all, (held) => held.queue)) {
        await giveBackJobs(sql, this.#database.schemaInSql, queue, some, lacking);
      }
      await this.#store.notify(sql, READY);
    });
  }

  /** Attempts that a stop cuts off are failures: so a job that may not be tried again is not. */
  #failAsStopped(all: readonly Held[]): void {
    for (const held of all) {
      const error = new Error("its worker was stopped before it had finished");
      this.#settle(held, { failure: { kind: "threw", job: nameOf(held.data), error } });
    }
  }
}
