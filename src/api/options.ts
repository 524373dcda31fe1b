/** What `JobSystem.create` is given, checked. */

import {
  availableParallelism,
  hasProcesses,
  noSharedMemory,
  otherRuntime,
  type ResourceLimits,
  type StartOptions,
  type ThreadOptions,
} from "../platform/host.js";
import type { MemberOptions } from "./member.js";
import { checkModules, type JobModule, type Source } from "./modules.js";

/** Options of `JobSystem.create`. */
export interface JobSystemOptions {
  /**
   * The modules whose exported functions are jobs: URLs, or absolute paths. Where the caller's import of one is another instance than
   * heddle's (test runners, bundlers, mocks), a pair of the URL and that import; both are then known. With `worker`, or with
   * `threads: 0`, also the import alone.
   */
  modules: readonly JobModule[];
  /**
   * Worker threads, 0 to 256; by default what the machine can run at once. With 1, the order of jobs is deterministic. With 0,
   * there are none: the calling thread runs all jobs itself, in its event loop and while it waits, in the order in which they became
   * ready; so mocks, spies and breakpoints work, and no shared memory is needed. Priorities do not count then.
   */
  threads?: number;
  /** Jobs that can be live (spawned and not finished) at once, 16 to 4,194,304 (the default). */
  maxJobs?: number;
  /**
   * Asynchronous jobs (whose function gives a promise) that a worker has started and not finished at the most, 1 to
   * 65,536; by default 64. Others wait until one has finished; synchronous jobs run meanwhile.
   */
  concurrency?: number;
  /**
   * Limits for the memory of each worker, in MiB: `maxOldGenerationSizeMb`, `maxYoungGenerationSizeMb`, `codeRangeSizeMb`,
   * `stackSizeMb`, as for a `Worker` of Node. A worker that needs more dies, and is replaced.
   */
  resourceLimits?: ResourceLimits;
  /**
   * How long a worker may take to load the modules and get ready, in milliseconds, 1 to 2^30; by default 30,000. After that
   * `create` rejects; a later worker, which takes a dead one's place, counts as dead. The modules' loading on the creating thread
   * may take as long.
   */
  startTimeout?: number;
  /**
   * Starts a worker thread: for bundles, whose bundler finds the thread's program by this very form. The program is a file of the
   * user's own, which calls `serve` of `heddle/worker`.
   *
   * @example
   * worker: (options) => new Worker(new URL("./jobs.worker.js", import.meta.url), options)
   */
  worker?: (options: StartOptions) => unknown;
  /** Node's options for worker threads, such as `["--import", "tsx"]`; by default those of this process. */
  execArgv?: readonly string[];
  /** The environment of worker threads, or `SHARE_ENV`; by default a copy of `process.env`. */
  env?: ThreadOptions["env"];
  /** What threads are called in inspectors, before their numbers; by default "heddle". */
  name?: string;
  /** Ends the start when it is aborted: `create` rejects with the signal's reason, and no worker is left. */
  signal?: AbortSignal;
}

/** Options of `JobSystem.shutdown`. */
export interface ShutdownOptions {
  /** Whether to cancel what has not started, and to end workers that do not stop. */
  force?: boolean;
  /** By force: how long workers have to stop, in milliseconds, 0 to 2^30; by default 100. Then they are terminated. */
  grace?: number;
}

const LIMITS = ["maxOldGenerationSizeMb", "maxYoungGenerationSizeMb", "codeRangeSizeMb", "stackSizeMb"];
const MOST_MEBIBYTES = 2 ** 20;

const MOST_THREADS = 256;
const FEWEST_JOBS = 16;
const MOST_JOBS = 4_194_304;
const MOST_CONCURRENT = 65_536;
export const CONCURRENT = 64;
const LONGEST = 2 ** 30;
const START_TIMEOUT = 30_000;
const GRACE = 100;

export interface CheckedOptions {
  readonly modules: readonly Source[];
  readonly threads: number;
  readonly maxJobs: number;
  readonly concurrency: number;
  readonly how: MemberOptions;
  readonly signal: AbortSignal | undefined;
}

/** @throws TypeError, RangeError naming the option, what was wrong and what to do */
export function checkOptions(options: JobSystemOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError('JobSystem.create needs options: { modules: [new URL("./work.js", import.meta.url)] }');
  }
  const threads = options.threads ?? Math.min(MOST_THREADS, availableParallelism());
  const maxJobs = options.maxJobs ?? MOST_JOBS;
  checkWhole("threads", threads, 0, MOST_THREADS);
  checkShares(threads);
  checkWhole("maxJobs", maxJobs, FEWEST_JOBS, MOST_JOBS);
  const concurrency = options.concurrency ?? CONCURRENT;
  checkWhole("concurrency", concurrency, 1, MOST_CONCURRENT);
  const { startTimeout = START_TIMEOUT, signal, worker, execArgv, env, name = "heddle" } = options;
  checkWhole("startTimeout", startTimeout, 1, LONGEST);
  if (signal !== undefined) checkSignal(signal);
  checkThreads(worker, execArgv, env, name);
  return {
    modules: checkModules(options.modules, worker !== undefined || threads === 0),
    threads,
    maxJobs,
    concurrency,
    how: { name, resourceLimits: checkLimits(options.resourceLimits), execArgv, env, worker, startTimeout },
    signal,
  };
}

/** @throws Error where threads have no memory in common */
function checkShares(threads: number): void {
  if (threads === 0 || noSharedMemory === undefined) return;
  throw new Error(`${noSharedMemory}; or give threads: 0, with which this thread runs all jobs itself`);
}

/** @throws TypeError for an option of threads that is of another kind */
function checkThreads(worker: unknown, execArgv: unknown, env: unknown, name: unknown): void {
  if (worker !== undefined && typeof worker !== "function") {
    throw new TypeError(
      `worker must be a function that starts a thread, such as (options) => new Worker(new URL("./jobs.worker.js", import.meta.url), options), not ${worker === null ? "null" : typeof worker}`,
    );
  }
  const isTexts = Array.isArray(execArgv) && execArgv.every((option) => typeof option === "string");
  if (execArgv !== undefined && !isTexts) {
    throw new TypeError('execArgv must be an array of Node\'s options, such as ["--import", "tsx"]');
  }
  if (env !== undefined && typeof env !== "symbol" && (typeof env !== "object" || env === null)) {
    throw new TypeError(
      `env must be an object such as { ...process.env, LEVEL: "debug" }, or SHARE_ENV, not ${env === null ? "null" : typeof env}`,
    );
  }
  if (!hasProcesses && (execArgv !== undefined || env !== undefined)) {
    throw new TypeError("execArgv and env are for processes, which browsers do not have; leave them out there");
  }
  if (typeof name !== "string" || name === "") throw new TypeError("name must be a text that is not empty");
}

function checkLimits(limits: ResourceLimits = {}): ResourceLimits {
  if (typeof limits !== "object" || limits === null) {
    throw new TypeError(
      `resourceLimits must be an object such as { maxOldGenerationSizeMb: 512 }, not ${limits === null ? "null" : typeof limits}`,
    );
  }
  for (const [name, value] of Object.entries(limits)) {
    if (!LIMITS.includes(name)) throw new TypeError(`resourceLimits knows no ${name}, only ${LIMITS.join(", ")}`);
    checkWhole(`resourceLimits.${name}`, value, 1, MOST_MEBIBYTES);
  }
  if (otherRuntime !== undefined && Object.keys(limits).length > 0) {
    throw new TypeError(
      `resourceLimits is not kept by ${otherRuntime}, which does not end a thread that needs more; leave it out there`,
    );
  }
  return { ...limits };
}

/** Checks a whole number given by the user. @throws TypeError, RangeError naming it */
export function checkWhole(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "number")
    throw new TypeError(
      `${name} must be a number from ${least} to ${most}, not ${value === null ? "null" : typeof value}`,
    );
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}, not ${value}`);
  }
}

/** @throws TypeError unless `signal` is like an AbortSignal */
export function checkSignal(signal: Partial<AbortSignal> | null): void {
  const fits =
    typeof signal === "object" &&
    signal !== null &&
    typeof signal.aborted === "boolean" &&
    typeof signal.addEventListener === "function" &&
    typeof signal.removeEventListener === "function";
  if (!fits) {
    throw new TypeError(
      `signal must be an AbortSignal, such as new AbortController().signal, not ${signal === null ? "null" : typeof signal}${typeof signal === "object" && signal !== null ? " without aborted and addEventListener" : ""}`,
    );
  }
}

/** Options of `JobSystem.shutdown`, checked. @throws TypeError, RangeError */
export function checkShutdown(options: ShutdownOptions): Required<ShutdownOptions> {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `shutdown needs no options, or { force: true }, not ${options === null ? "null" : typeof options}`,
    );
  }
  const { force = false, grace = GRACE } = options;
  if (typeof force !== "boolean") throw new TypeError(`force must be true or false, not ${typeof force}`);
  checkWhole("grace", grace, 0, LONGEST);
  if (!force && options.grace !== undefined) {
    throw new TypeError("grace is for shutdown({ force: true }), which does not wait for jobs that run longer");
  }
  return { force, grace };
}
