/** What `JobSystem.create` is given, checked. */

import { availableParallelism } from "node:os";
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import type { ResourceLimits } from "../platform/host.js";
import { isInstance } from "../values/describe.js";

/** Options of `JobSystem.create`. */
export interface JobSystemOptions {
  /** The modules whose exported functions are jobs: URLs, or absolute paths. */
  modules: readonly (URL | string)[];
  /** Worker threads, 1 to 256; by default what the machine can run at once. With 1, the order of jobs is deterministic. */
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
  readonly modules: readonly string[];
  readonly threads: number;
  readonly maxJobs: number;
  readonly concurrency: number;
  readonly resourceLimits: ResourceLimits;
  readonly startTimeout: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws TypeError, RangeError naming the option, what was wrong and what to do */
export function checkOptions(options: JobSystemOptions): CheckedOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError('JobSystem.create needs options: { modules: [new URL("./work.js", import.meta.url)] }');
  }
  const threads = options.threads ?? Math.min(MOST_THREADS, availableParallelism());
  const maxJobs = options.maxJobs ?? MOST_JOBS;
  checkWhole("threads", threads, 1, MOST_THREADS);
  checkWhole("maxJobs", maxJobs, FEWEST_JOBS, MOST_JOBS);
  const concurrency = options.concurrency ?? CONCURRENT;
  checkWhole("concurrency", concurrency, 1, MOST_CONCURRENT);
  const { startTimeout = START_TIMEOUT, signal } = options;
  checkWhole("startTimeout", startTimeout, 1, LONGEST);
  if (signal !== undefined) checkSignal(signal);
  return {
    modules: checkModules(options.modules),
    threads,
    maxJobs,
    concurrency,
    resourceLimits: checkLimits(options.resourceLimits),
    startTimeout,
    signal,
  };
}

/** The addresses of the modules of jobs. @throws TypeError */
export function checkModules(modules: unknown): readonly string[] {
  if (!isArray(modules) || modules.length === 0) {
    throw new TypeError(
      'modules must be an array of at least one module that exports job functions, such as [new URL("./work.js", import.meta.url)]',
    );
  }
  return Array.from(modules, moduleUrl);
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

/** `Array.isArray`, but for a revoked proxy. */
function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

function moduleUrl(module: unknown, index: number): string {
  if (isInstance(module, URL)) return module.href;
  if (typeof module !== "string")
    throw new TypeError(
      `modules[${index}] must be a URL or an absolute path, not ${module === null ? "null" : typeof module}`,
    );
  if (isAbsolute(module)) return pathToFileURL(module).href;
  if (/^[a-z][a-z0-9+.-]+:/i.test(module)) return module;
  throw new TypeError(
    `modules[${index}] is the relative path "${module}"; give new URL("${module}", import.meta.url) instead`,
  );
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
