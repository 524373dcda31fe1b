/** Failures as the errors that users get, and back. */

import { sameBytes } from "../platform/host.js";
import type { Cloner } from "../values/clone.js";
import { describe, isError, shortened } from "../values/describe.js";
import { dependentFromBytes, type Failure, failureFromBytes } from "../values/failures.js";
import {
  DependencyFailedError,
  JobCancelledError,
  JobFailedError,
  JobTimeoutError,
  ShutdownError,
  WorkerCrashedError,
} from "./errors.js";

/** Characters that a message takes over of what a job has thrown, … */
const MOST_OF_THROWN = 2 ** 14;
/** … and of the failure of another job, or an error that this has caused, which has taken over such. */
const MOST_OF_FAILURE = 2 ** 10;

/** The error that those who wait for a failed job get. */
export function toError(failure: Failure): Error {
  return withStack(make(failure));
}

/**
 * The same error, with its stack as a text. Until somebody reads that, some versions of Node keep all objects that were at work when
 * the error was made: whoever keeps it would keep the whole system.
 */
export function withStack<E extends Error>(error: E): E {
  void error.stack;
  return error;
}

function make(failure: Failure): Error {
  switch (failure.kind) {
    case "threw": {
      const message = `job "${failure.job}" failed: ${messageOf(failure.error)}`;
      return new JobFailedError(failure.job, message, { cause: failure.error });
    }
    case "dependency":
      return dependencyError(failure.job, toError(failure.first));
    case "shutdown":
      return new ShutdownError(
        `job "${failure.job}" was cancelled: the job system was shut down by force before it started`,
      );
    case "cancelled":
      return new JobCancelledError(
        failure.job,
        failure.started,
        failure.cause,
        messageOf(failure.cause),
        failure.killed,
      );
    case "timeout":
      return new JobTimeoutError(failure.job, failure.timeout);
    case "crashed":
      return new WorkerCrashedError(failure.job, failure.exitCode, failure.reason, failure.killed);
    case "lost":
      return new JobFailedError(
        failure.job,
        `job "${failure.job}" failed; the details were too large or too deep to be kept`,
      );
  }
}

function dependencyError(job: string, cause: Error): DependencyFailedError {
  return new DependencyFailedError(job, `job "${job}" did not run: ${cause.message}`, { cause });
}

/**
 * Makes errors of stored failures. Many jobs may depend on one that has failed: their errors have its error in common, as
 * long as somebody holds that.
 */
export class FailureReader {
  readonly #cloner: Cloner;
  #bytes: Uint8Array = new Uint8Array();
  #first: WeakRef<Error> | undefined;

  constructor(cloner: Cloner) {
    this.#cloner = cloner;
  }

  /** @param job the name of the job, should the bytes not tell */
  errorFrom(bytes: Uint8Array, job: string): Error {
    const dependent = dependentFromBytes(bytes);
    if (dependent === undefined) return toError(failureFromBytes(this.#cloner, bytes, job));
    return dependencyError(dependent.job, this.#firstFrom(dependent.first, job));
  }

  #firstFrom(bytes: Uint8Array, job: string): Error {
    const before = sameBytes(bytes, this.#bytes) ? this.#first?.deref() : undefined;
    if (before !== undefined) return before;
    const first = this.errorFrom(bytes, job);
    this.#bytes = bytes.slice();
    this.#first = new WeakRef(first);
    return first;
  }
}

/** The failure behind an error that `toError` has made. @param job the name of the job, should the error not tell */
export function failureOf(error: unknown, job: string): Failure {
  if (error instanceof DependencyFailedError) {
    return { kind: "dependency", job: error.job, first: failureOf(error.cause, job) };
  }
  if (error instanceof JobCancelledError) {
    const { started, cause, killed } = error;
    return { kind: "cancelled", job: error.job, started, cause, killed };
  }
  if (error instanceof JobTimeoutError) return { kind: "timeout", job: error.job, timeout: error.timeout };
  if (error instanceof WorkerCrashedError) {
    const { exitCode, reason, killed } = error;
    return { kind: "crashed", job: error.job, exitCode, reason, killed };
  }
  if (error instanceof JobFailedError && !("cause" in error)) return { kind: "lost", job: error.job };
  if (error instanceof JobFailedError) return { kind: "threw", job: error.job, error: error.cause };
  return { kind: "shutdown", job };
}

function messageOf(error: unknown): string {
  if (!isError(error)) return shortened(describe(error), MOST_OF_THROWN);
  const isOfJob = "job" in error || (isError(error.cause) && "job" in error.cause);
  return shortened(describe(error.message), isOfJob ? MOST_OF_FAILURE : MOST_OF_THROWN);
}
