import { layoutFor, STOPPING } from "../memory/layout.js";
import { asMicrotask, EventEmitter, nextTurn, runIn, turn } from "../platform/host.js";
import { MAIN } from "../scheduler/context.js";
import { mainJobsToRun } from "../scheduler/main-loop.js";
import { giveUp, stopWorkers } from "../scheduler/worker-loop.js";
import { FEW, NONE } from "../values/codec.js";
import { VERSION } from "../version.js";
import { Engine } from "./engine.js";
import { ShutdownError } from "./errors.js";
import { withStack } from "./failure-errors.js";
import { Functions } from "./functions.js";
import { Group } from "./group.js";
import type { Job } from "./job.js";
import { checkModules, type Source } from "./modules.js";
import { checkOptions, checkShutdown, type JobSystemOptions, type ShutdownOptions } from "./options.js";
import { INSPECT } from "./shown.js";
import { Supervisor } from "./supervisor.js";
import { WatchTimer } from "./watch-timer.js";
import { within } from "./within.js";
import { WorkerPool } from "./worker-pool.js";

/** What `shutdown` reports. */
export interface ShutdownReport {
  /** Jobs that were spawned and never scheduled, by function name. They did not run. */
  readonly neverScheduled: Readonly<Record<string, number>>;
  /**
   * The numbers (1 to `threads`) of worker threads that were terminated and have not ended, if there are any: native code holds
   * them up. The process cannot end before them.
   */
  readonly threadsLeft?: readonly number[];
}

/** What a system tells, and what its listeners are called with. */
type Events = {
  error: [error: Error];
  message: [value: unknown, thread: number];
};

// EventEmitter has these methods, but its types are those of Node, which programs for browsers need not have.
export interface JobSystem {
  on<E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): this;
  once<E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): this;
  off<E extends keyof Events>(event: E, listener: (...args: Events[E]) => void): this;
}

/**
 * A job system: worker threads that run jobs as soon as all that they depend on is done.
 *
 * @example
 * import { JobSystem } from "heddle";
 * import * as work from "./work.js";
 *
 * await using jobs = await JobSystem.create({ modules: [new URL("./work.js", import.meta.url)] });
 * const a = jobs.spawn(work.load, "a.txt");
 * const b = jobs.spawn(work.count).after(a);
 * console.log(await b);
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the methods are there, see above
export class JobSystem extends EventEmitter<Events> implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #workers: WorkerPool;
  readonly #watch: WatchTimer;
  #stopping: Promise<ShutdownReport> | undefined;
  #referenced = false;
  /** What modules have sent while they were loaded, until somebody can listen. */
  #early: [value: unknown, thread: number][] | undefined = [];

  /**
   * Starts a job system.
   *
   * @param options modules (required), threads, maxJobs: see `JobSystemOptions`
   * @returns the system, when all its workers have loaded the modules
   * @throws TypeError, RangeError for a bad option; whatever a module throws when it is loaded; an Error that names the module, if
   * that takes longer than `startTimeout`; the reason of `signal`, when it is aborted; what Node throws if it cannot start a thread
   * (no worker is left behind)
   */
  static async create(options: JobSystemOptions): Promise<JobSystem> {
    const { modules, threads, maxJobs, concurrency, how, signal } = checkOptions(options);
    if (signal?.aborted) throw signal.reason;
    const functions = await loadFunctions(modules, how.startTimeout, signal);
    const layout = layoutFor(threads + 1, maxJobs);
    const workers = new WorkerPool(threads, how);
    const report = (error: Error) => system.#report(error);
    // The creating thread starts as many asynchronous jobs as it is given: its program's awaiting must not hold them up.
    const unlimited = Number.POSITIVE_INFINITY;
    const engine = new Engine(undefined, layout, MAIN, functions, unlimited, workers.links.all, report);
    const system = new JobSystem(engine, workers);
    const { buffer } = engine.context.memory;
    const start = {
      heddle: VERSION,
      buffer,
      threads: threads + 1,
      maxJobs,
      concurrency,
      modules: modules.map(({ url }) => url ?? null),
      names: functions.names,
    };
    await workers.start(start, signal);
    engine.open();
    nextTurn(() => system.#handOnEarly());
    return system;
  }

  #handOnEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const [value, thread] of early) this.emit("message", value, thread);
  }

  private constructor(engine: Engine, workers: WorkerPool) {
    super();
    this.#engine = engine;
    this.#workers = workers;
    this.#watch = new WatchTimer(engine.context, () => engine.listener.settle());
    workers.links.onArrival = () => engine.arrived();
    engine.onLimit = () => this.#watch.start();
    engine.listener.onLimit = engine.onLimit;
    workers.onUnobserved = (failure) => this.#report(engine.runner.errorFromBytes(failure));
    new Supervisor(
      engine,
      workers,
      (error) => this.#report(error),
      (reason) => this.#giveUp(reason),
    );
    workers.onAborted = (slot, state) => {
      const before = engine.context.enter();
      engine.onAborted(slot, state);
      engine.context.leave(before);
      engine.listener.settle();
    };
    workers.onValue = (value, thread) => {
      if (this.#early === undefined) this.emit("message", value, thread);
      else this.#early.push([value, thread]);
    };
    engine.context.onOverdue = (thread, slot, milliseconds) => {
      // Without workers there is no thread to end: the job has failed, though its function goes on.
      if (thread === MAIN) return;
      const job = `job "${engine.runner.nameIn(slot)}"`;
      const limit = `${job} ran longer than its timeout of ${milliseconds} ms (kill)`;
      workers.kill(thread, milliseconds > 0 ? limit : `the signal of ${job} was aborted (kill)`);
    };
    engine.listener.active = true;
    engine.listener.keepAlive = (on) => workers.keepAlive(on || this.#referenced);
    engine.runner.onUnobserved = () => nextTurn(() => engine.runner.reportUnobserved());
  }

  /**
   * One of the modules of this system, as heddle has it on this thread: its functions can be given to `spawn` and `run`, also where
   * an import of the caller's would be another instance of the module.
   *
   * @param url its URL or absolute path, as `create` was given it
   * @returns the module; its type is what the caller says
   * @throws TypeError (it rejects) when it is none of this system's modules
   * @example
   * const work = await jobs.load<typeof import("./work.js")>(new URL("./work.js", import.meta.url));
   * const sum = await jobs.run(work.add, 1, 2);
   */
  async load<M extends object = Record<string, (...args: unknown[]) => unknown>>(url: URL | string): Promise<M> {
    const [source] = checkModules([url]);
    const { functions } = this.#engine;
    const module = functions.moduleAt(source.url as string);
    if (module === undefined) {
      throw new TypeError(
        `url is ${source.url}, which is none of this system's modules (${functions.urls.join(", ") || "they have no addresses"}); give it to JobSystem.create({ modules })`,
      );
    }
    return module as M;
  }

  /** How many worker threads there are. */
  get threads(): number {
    return this.#workers.count;
  }

  /** For logs: how many worker threads it has. */
  toJSON(): { threads: number } {
    return { threads: this.threads };
  }

  get [Symbol.toStringTag](): string {
    return "JobSystem";
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
    return `JobSystem with ${this.threads} threads`;
  }

  /**
   * Makes a job; it does not run before it is scheduled.
   *
   * @param fn a function exported by one of the system's modules
   * @param args its arguments. Numbers, booleans, null and undefined are inline in shared memory; typed
   * arrays and DataViews on shared memory, SharedArrayBuffers, shared WebAssembly.Memories and jobs go by
   * reference; anything else that can be structured-cloned is copied
   * @throws UnknownJobFunctionError, DataCloneError (a DOMException), PayloadTooLargeError, ArenaFullError, ShutdownError
   * @example
   * const job = jobs.spawn(work.blurRow, image, width, 7);
   */
  spawn<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Job<Awaited<R>>;
  spawn(fn: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown): Job<unknown> {
    // biome-ignore-start lint/complexity/noArguments: `...args`, or `arguments` itself handed on, would make an object for each job.
    const count = arguments.length - 1;
    const all: unknown[] = count > FEW ? [] : NONE;
    for (let k = 1; count > FEW && k <= count; k++) all.push(arguments[k]);
    return this.#engine.spawn(fn, count, a, b, c, d, all);
    // biome-ignore-end lint/complexity/noArguments: as above
  }

  /**
   * Makes a job and schedules it.
   *
   * @throws as `spawn`
   * @example
   * const sum = await jobs.run(work.add, 1, 2);
   */
  run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Job<Awaited<R>>;
  run(fn: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown): Job<unknown> {
    // biome-ignore-start lint/complexity/noArguments: `...args`, or `arguments` itself handed on, would make an object for each job.
    const count = arguments.length - 1;
    const all: unknown[] = count > FEW ? [] : NONE;
    for (let k = 1; count > FEW && k <= count; k++) all.push(arguments[k]);
    return this.#engine.run(fn, count, a, b, c, d, all);
    // biome-ignore-end lint/complexity/noArguments: as above
  }

  /**
   * Links jobs one after the other.
   *
   * @returns the last of them
   * @throws TypeError without jobs; as `Job.then`
   * @example
   * await jobs.chain(load, parse, count);
   */
  chain<T extends readonly [Job<unknown>, ...Job<unknown>[]]>(
    ...jobs: T
  ): T extends readonly [...unknown[], infer Last] ? Last : never {
    if (jobs.length === 0) throw new TypeError("chain needs at least one job");
    if (jobs.length === 1) this.#engine.check(jobs[0], "the job");
    for (let k = 1; k < jobs.length; k++) this.#engine.link(jobs[k - 1], jobs[k]);
    return jobs[jobs.length - 1] as T extends readonly [...unknown[], infer Last] ? Last : never;
  }

  /**
   * Makes a group: many jobs without handles, waited for together.
   *
   * @throws ShutdownError
   */
  group(): Group {
    this.#engine.checkOpen();
    return new Group(this.#engine);
  }

  /**
   * Keeps the process alive until `unref` or the end of a shutdown. Without it, only what is awaited keeps it alive.
   *
   * @returns this system; nothing changes if it has been called already, or after `shutdown`
   * @example
   * jobs.ref(); // a program whose jobs nobody awaits
   */
  ref(): this {
    return this.#reference(true);
  }

  /**
   * Undoes `ref`: the process may end when nothing is awaited and no shutdown is under way.
   *
   * @returns this system; nothing changes if `ref` was not called, or after `shutdown`
   * @example
   * jobs.on("error", () => jobs.unref());
   */
  unref(): this {
    return this.#reference(false);
  }

  #reference(on: boolean): this {
    this.#referenced = on;
    this.#engine.listener.keepAlive(this.#engine.listener.awaiting);
    return this;
  }

  /**
   * Finishes what is scheduled, then stops the workers. After it every call throws ShutdownError. A worker that has stopped ends,
   * whatever the jobs have left open: timers, servers, ports.
   *
   * @param options `force: true` cancels what has not started: it fails with ShutdownError. So does what has not finished within
   * `grace` milliseconds (100), when its worker is terminated
   * @returns a report of the jobs that were spawned and never scheduled; those who await them get ShutdownError
   * @throws TypeError, RangeError (it rejects, and shuts nothing down) for other options
   * @example
   * process.once("SIGTERM", () => jobs.shutdown({ force: true, grace: 1000 }));
   */
  shutdown(options: ShutdownOptions = {}): Promise<ShutdownReport> {
    let force: boolean;
    let grace: number;
    try {
      ({ force, grace } = checkShutdown(options));
    } catch (error) {
      return Promise.reject(error);
    }
    const { context } = this.#engine;
    if (this.#stopping === undefined) {
      this.#engine.closed = withStack(new ShutdownError("the job system has been shut down; create another one"));
      stopWorkers(context, force);
      this.#stopping = this.#stop();
    } else if (force) {
      stopWorkers(context, true);
    }
    if (force) this.#workers.force(grace, () => giveUp(context));
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown().then(() => {});
  }

  async #stop(): Promise<ShutdownReport> {
    const engine = this.#engine;
    engine.listener.keepAlive = () => {};
    this.#workers.keepAlive(true);
    if (this.threads === 0) await this.#runOut();
    await this.#workers.stopped;
    this.#watch.stop();
    engine.takeOver();
    const report = this.#reportOf(engine.runner.unscheduledByName());
    engine.listener.stop();
    const why = "the job system was shut down before this job was scheduled or, by force, before it had finished";
    engine.abandon(withStack(new ShutdownError(why)));
    return report;
  }

  /** Without workers: until this thread has run all that is scheduled. */
  async #runOut(): Promise<void> {
    const { context } = this.#engine;
    while (mainJobsToRun(context) || (context.state === STOPPING && context.suspended > 0)) await turn();
    this.#workers.terminate();
  }

  #reportOf(neverScheduled: Record<string, number>): ShutdownReport {
    const threadsLeft = this.#workers.left;
    return threadsLeft.length === 0 ? { neverScheduled } : { neverScheduled, threadsLeft };
  }

  /** Workers die again and again: fails everything instead of leaving anyone waiting. */
  #giveUp(reason: Error): void {
    const engine = this.#engine;
    engine.closed = withStack(new ShutdownError(`the job system has stopped: ${reason.message}`, { cause: reason }));
    engine.listener.keepAlive = () => {};
    // Until they have ended: somebody may be waiting for that.
    this.#workers.keepAlive(true);
    this.#workers.terminate();
    this.#watch.stop();
    engine.abandon(engine.closed);
    engine.listener.stop();
    this.#stopping ??= this.#workers.stopped.then(() => this.#reportOf({}));
    this.#report(reason);
  }

  #report(error: Error): void {
    withStack(error);
    if (this.listenerCount("error") === 0) {
      // As for any rejection that nobody handles: the process decides.
      void Promise.reject(error);
      return;
    }
    try {
      runIn(() => this.emit("error", error));
    } catch (thrown) {
      // The process hears of it, as of anything that is thrown outside, but what is under way here goes on.
      asMicrotask(() => {
        throw thrown;
      });
    }
  }
}

/** Loads the modules on this thread. @throws what a module throws; an Error if they take too long; the reason of `signal` */
function loadFunctions(modules: readonly Source[], milliseconds: number, signal?: AbortSignal): Promise<Functions> {
  let loading = "";
  const functions = Functions.load(modules, (module) => {
    loading = module;
  });
  const late = () =>
    new Error(
      `${loading} was not loaded after ${milliseconds} ms: it may await at its top level what never comes; give JobSystem.create a larger startTimeout if it needs more`,
    );
  return within(functions, signal, { milliseconds, late });
}
