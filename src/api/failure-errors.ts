/** Failures as the errors that users get, and back. */
import { describe } from "../values/describe.js";
import type { Failure } from "../values/failures.js";
import {
  DependencyFailedError,
  JobCancelledError,
  JobFailedError,
  JobTimeoutError,
  ShutdownError,
  WorkerCrashedError,
} from "./errors.js";

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
    case "dependency": {
      const cause = toError(failure.first);
      return new DependencyFailedError(failure.job, `job "${failure.job}" did not run: ${cause.message}`, { cause });
    }
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
  return error instanceof Error ? error.message : describe(error);
}
