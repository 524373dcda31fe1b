/**
 * In which asynchronous context (AsyncLocalStorage) jobs run: a job of the main thread in that in which it was given to it, each
 * other one in that of nobody, so that it neither sees nor changes what another, or the code that waits for it, has entered.
 */
import { F_MAIN } from "../memory/layout.js";
import { ceaseToNotice, contextsInUse, type Kept, keepContext, leaveEntered, runIn } from "../platform/contexts.js";
import type { Context } from "../scheduler/context.js";
import { isThenable } from "../values/thenable.js";

export class JobContexts {
  readonly #context: Context;
  /** Of jobs for the main thread that were spawned there and have not run, by slot. */
  readonly #kept = new Map<number, Kept>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** The job of `slot`, which only the main thread runs, is to run in the context in which this is called. */
  keep(slot: number): void {
    this.#kept.set(slot, keepContext());
  }

  /** The job of `slot` has settled. */
  forget(slot: number): void {
    if (this.#kept.size > 0) this.#kept.delete(slot);
  }

  /** Whether a job with this `header` is to be called with `call`. */
  matter(header: number): boolean {
    return contextsInUse() || (header & F_MAIN) !== 0;
  }

  /** Calls the function of the job of `slot` in its context. */
  call(slot: number, job: () => unknown): unknown {
    try {
      return runIn(() => heeded(job()), this.#kept.get(slot));
    } finally {
      if (this.#context.waiting.length === 0) ceaseToNotice();
    }
  }

  /** A job that was called without `call` has ended. @returns `result`, which it has given */
  ended<R>(result: R): R | Promise<unknown> {
    if (!contextsInUse()) return result;
    try {
      return heeded(result);
    } finally {
      leaveEntered();
      if (this.#context.waiting.length === 0) ceaseToNotice();
    }
  }
}

/** Has a lazy promise, which begins when it is awaited, do so in the job's own context. */
function heeded<R>(result: R): R | Promise<unknown> {
  return isThenable(result) ? Promise.resolve(result) : result;
}
