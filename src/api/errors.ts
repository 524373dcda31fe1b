/** The errors that heddle throws. Each says what was wrong and what to do. */
import { LARGEST_PAYLOAD } from "../memory/payloads.js";

/** A job function threw. `cause` is what it threw, with its name, message, stack and own properties. */
export class JobFailedError extends Error {
  override readonly name: string = "JobFailedError";
  /** The name of the job function that failed. */
  readonly job: string;
  constructor(job: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.job = job;
  }
}

/** A job did not run because one that it depends on failed. `cause` is the first failure. */
export class DependencyFailedError extends JobFailedError {
  override readonly name: string = "DependencyFailedError";
}

/** A job was cancelled by its signal: it did not start; or it threw after it had been asked to stop, or was ended (`kill`). */
export class JobCancelledError extends JobFailedError {
  override readonly name: string = "JobCancelledError";
  /** Whether it had started. */
  readonly started: boolean;
  /** Whether its worker was ended because of it (`kill`). */
  readonly killed: boolean;
  /**
   * `cause` is what the job threw; else the signal's reason, where this is known here.
   *
   * @param because what was thrown, for the message
   */
  constructor(job: string, started: boolean, cause: unknown, because = "", killed = false) {
    super(job, `job "${job}" was cancelled${howFar(started, killed, because)}`, { cause });
    this.started = started;
    this.killed = killed;
  }
}

function howFar(started: boolean, killed: boolean, because: string): string {
  if (!started) return " before it started: its signal was aborted";
  return killed ? " while it ran, and its worker thread ended: its signal was aborted" : `, and threw: ${because}`;
}

/** A job has run for longer than its `timeout`. Its function may still run; what it gives is dropped. */
export class JobTimeoutError extends JobFailedError {
  override readonly name: string = "JobTimeoutError";
  /** How long it was allowed to run, in milliseconds. */
  readonly timeout: number;
  constructor(job: string, timeout: number) {
    super(
      job,
      `job "${job}" failed: it has run for longer than its timeout of ${timeout} ms; give it more time, or have it look at isCancelled()`,
    );
    this.timeout = timeout;
  }
}

/** The worker thread that ran a job has died: a job called `process.exit`, memory ran out, or it was terminated, also because of another job (`kill`). */
export class WorkerCrashedError extends JobFailedError {
  override readonly name: string = "WorkerCrashedError";
  /** The exit code of the worker thread. */
  readonly exitCode: number;
  /** What is known of the reason, or "". */
  readonly reason: string;
  /** Whether it was ended because of another job, which `reason` then names. */
  readonly killed: boolean;
  constructor(job: string, exitCode: number, reason: string, killed = false) {
    const why = reason === "" ? "" : `: ${reason}`;
    const how = killed ? `was ended because ${reason}` : `ended unexpectedly with code ${exitCode}${why}`;
    super(job, `job "${job}" failed: its worker thread ${how}`);
    this.exitCode = exitCode;
    this.reason = reason;
    this.killed = killed;
  }
}

/** Names of jobs in a message, at most. */
const MOST_NAMED = 12;

/**
 * Jobs wait for each other in a circle. If it was found when they were scheduled, nothing of the graph has run; a job
 * that calls `wait` for itself, or for one that runs after it, gets it from `wait`.
 */
export class DependencyCycleError extends Error {
  override readonly name: string = "DependencyCycleError";
  /** The names of the job functions on the cycle, each before the one that depends on it. */
  readonly jobs: readonly string[];
  constructor(jobs: readonly string[]) {
    const more = jobs.length - MOST_NAMED;
    const named = more > 0 ? [...jobs.slice(0, MOST_NAMED), `(${more} more)`] : jobs;
    super(
      `jobs depend on each other in a circle: ${[...named, jobs[0]].join(" -> ")}; remove one of these dependencies`,
    );
    this.jobs = jobs;
  }
}

/** A job that is already scheduled was given a prerequisite or options. */
export class JobAlreadyScheduledError extends Error {
  override readonly name: string = "JobAlreadyScheduledError";
  constructor(job: string) {
    super(
      `job "${job}" is already scheduled and can gain no more prerequisites or options; link jobs, and give them options, before you schedule or await them: make them with spawn, not run`,
    );
  }
}

/** A function was given that no module of the system exports. */
export class UnknownJobFunctionError extends Error {
  override readonly name: string = "UnknownJobFunctionError";
  /**
   * @param to what modules are given to
   * @param url the address of a module that exports another function of the same name
   */
  constructor(what: string, to = "JobSystem.create", url?: string) {
    super(
      url === undefined
        ? `${what} is not a registered job function; export it from a module and give that module to ${to}({ modules: [new URL("./module.js", import.meta.url)] })`
        : `${what} is not the one that ${url} exports, but of another instance of that module, as a test runner, a bundler or a mock makes it; give ${to}({ modules: [[new URL("${url}"), work]] }), where work is the module as you import it, or call the functions of await jobs.load("${url}")`,
    );
  }
}

/** The arena has no room for another live job, or shared memory none for its arguments. */
export class ArenaFullError extends Error {
  override readonly name: string = "ArenaFullError";
}

/** A channel was closed: nothing more can be sent into it. */
export class ChannelClosedError extends Error {
  override readonly name: string = "ChannelClosedError";
  constructor() {
    super("the channel is closed and takes nothing more; close it only when all who send are done");
  }
}

/** A value is copied, as a job's argument or result or as a message of a channel, and has too many bytes for that. */
export class PayloadTooLargeError extends RangeError {
  override readonly name: string = "PayloadTooLargeError";
  /** The bytes of the copy; on a cluster, the least that it takes. */
  readonly bytes: number;
  /** The bytes that it may have. */
  readonly maxBytes: number;
  constructor(message: string, bytes: number, maxBytes: number) {
    super(message);
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** The error for what a job is given or gives. @param what such as "the result is" */
export function tooLargeToCopy(what: string, bytes: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `${what} too large to be copied: ${bytes} bytes, and ${LARGEST_PAYLOAD} are the most; put large data on shared memory, such as shared(Float64Array, length), which is not copied`,
    bytes,
    LARGEST_PAYLOAD,
  );
}

/** The error for a message of a channel that was made with `maxBytes`. */
export function tooLargeToSend(bytes: number, maxBytes: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `value takes ${bytes} bytes when it is serialised, and a message of this channel ${maxBytes} at most; make the channel with a larger maxBytes, or keep large data in a typed array on shared memory and send where in it to look`,
    bytes,
    maxBytes,
  );
}

/** The system has been shut down, or is being shut down. */
export class ShutdownError extends Error {
  override readonly name: string = "ShutdownError";
}

/**
 * A handle of another thread's job was asked for an outcome that the spawning thread has already taken.
 *
 * A job that was given a handle as an argument can always read that job's outcome, until it has settled itself; so can the
 * jobs of a group until the group is done. It gets this error when it
 *
 * - keeps the handle, and uses it after it has settled;
 * - was given it by a job that had it as an argument itself, and that has settled since. A job that hands a handle on and
 *   does not wait for whom it gives it to waits for the handle's job first: then the result goes with it;
 * - was given it when the spawning thread had the result, but that could not be copied, or shared memory had no room for it;
 * - asks when the worker that has spawned the job has died.
 */
export class StaleJobError extends Error {
  override readonly name: string = "StaleJobError";
  constructor(job: string) {
    super(
      `job "${job}" has finished and the thread that spawned it has taken its result; wait for it before the job that was given this handle settles, or pass the result on`,
    );
  }
}

/** A synchronous wait was refused, or ended, because it could never end otherwise, or because the thread must not block. */
export class WouldBlockError extends Error {
  override readonly name: string = "WouldBlockError";
}

/** @param call what would block */
export function mustNotBlock(call: string, instead: string): WouldBlockError {
  return new WouldBlockError(
    `${call} would block this thread, and the main thread of a page must not block; use ${instead}`,
  );
}
