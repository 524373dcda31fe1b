/** What jobs that this thread executes are given to hear that they are to stop. */
import { C_LIMIT, F_CONTROLLED, S_FUNCTION, SLOT_LOG } from "../memory/layout.js";
import type { Context } from "../scheduler/context.js";
import { controlOf, isAskedToStop, reasonFor, wasAborted } from "../scheduler/control.js";

export class JobSignals {
  readonly #context: Context;
  readonly #readReason: (block: number) => unknown;
  /** For jobs that have started here, not ended, and asked for a signal. */
  readonly #controllers = new Map<number, AbortController>();

  /** @param readReason reads what `Cancellations` has stored */
  constructor(context: Context, readReason: (block: number) => unknown) {
    this.#context = context;
    this.#readReason = readReason;
  }

  /** Whether the job of `slot`, which runs here, is to stop. */
  isCancelled(slot: number): boolean {
    return this.#isControlled(slot) && isAskedToStop(this.#context, slot);
  }

  /** The signal that is aborted when the job of `slot`, which runs here, is to stop. */
  of(slot: number): AbortSignal {
    let controller = this.#controllers.get(slot);
    if (controller === undefined) {
      controller = new AbortController();
      if (!this.#isControlled(slot)) return controller.signal;
      this.#controllers.set(slot, controller);
    }
    this.#abortIfAsked(slot, controller);
    return controller.signal;
  }

  /** The job of `slot` has ended. */
  forget(slot: number): void {
    this.#controllers.delete(slot);
  }

  /** Aborts the signals of suspended jobs that are to stop; not while a job runs here, which would not expect it. */
  abortAsked(): void {
    if (!this.anyAsked || this.#context.running !== 0) return;
    // What listens to them is the user's.
    this.#context.leave();
    try {
      for (const [slot, controller] of this.#controllers) this.#abortIfAsked(slot, controller);
    } finally {
      this.#context.enter();
    }
  }

  /** Whether `abortAsked` would abort any. */
  get anyAsked(): boolean {
    if (this.#controllers.size === 0) return false;
    for (const [slot, { signal }] of this.#controllers) {
      if (!signal.aborted && isAskedToStop(this.#context, slot)) return true;
    }
    return false;
  }

  #isControlled(slot: number): boolean {
    return (this.#context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] & F_CONTROLLED) !== 0;
  }

  #abortIfAsked(slot: number, controller: AbortController): void {
    if (controller.signal.aborted || !isAskedToStop(this.#context, slot)) return;
    if (wasAborted(this.#context, slot)) controller.abort(this.#readReason(reasonFor(this.#context, slot)));
    else
      controller.abort(new DOMException(`the job has run for longer than ${this.#limitOf(slot)} ms`, "TimeoutError"));
  }

  #limitOf(slot: number): number {
    const control = controlOf(this.#context, slot);
    return this.#context.memory.i32[control + C_LIMIT];
  }
}
