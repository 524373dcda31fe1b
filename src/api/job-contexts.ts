/**
 * In which asynchronous context (AsyncLocalStorage) jobs run: a job of the main thread in that in which it was given to it, each
 * other one in that of nobody, so that it neither sees nor changes what another, or the code that waits for it, has entered.
 */
import { ceaseToNotice, contextsInUse, copyOf, type Kept, keepContext, leaveEntered } from "../platform/host.js";
import { type Context, MAIN } from "../scheduler/context.js";
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
    if (contextsInUse) this.#kept.set(slot, keepContext());
  }

  /** The job of `slot` has settled. */
  forget(slot: number): void {
    if (this.#kept.size > 0) this.#kept.delete(slot);
  }

  /** A context in which to call the function of the job of `slot`; then `leave`. */
  enter(slot: number): Kept {
    // It takes more of the stack than others; the main thread's is small.
    if (this.#context.me === MAIN) this.#context.depth++;
    return copyOf(this.#kept.get(slot));
  }

  /** A job's function that was called in a context has returned or thrown. */
  leave(): void {
    if (this.#context.me === MAIN) this.#context.depth--;
    this.#end();
  }

  /** A job's function has given `result`, or thrown, that was called without a context, before any was in use. @returns what it has given */
  leaveNone<R>(result: R): R | Promise<unknown> {
    try {
      return heeded(result);
    } finally {
      leaveEntered();
      this.#end();
    }
  }

  #end(): void {
    if (this.#context.waiting.length === 0) ceaseToNotice();
  }
}

/** Has a lazy promise, which begins when it is awaited, do so in the job's own context. */
export function heeded<R>(result: R): R | Promise<unknown> {
  return isThenable(result) ? Promise.resolve(result) : result;
}
