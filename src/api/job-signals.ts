/** What jobs that this thread executes are given to hear that they are to stop. */
import { C_LIMIT, F_CONTROLLED, S_FUNCTION, SLOT_LOG } from "../memory/layout.js";
import { type Kept, keepContext, runIn } from "../platform/host.js";
import type { Context } from "../scheduler/context.js";
import { controlOf, isAskedToStop, reasonFor, wasAborted } from "../scheduler/control.js";

/** What a job was given when it asked for a signal, and in which context it did. */
interface Asked {
  readonly controller: AbortController;
  readonly context: Kept;
}

export class JobSignals {
  readonly #context: Context;
  readonly #readReason: (block: number) => unknown;
  /** For jobs that have started here, not ended, and asked for a signal. */
  readonly #asked = new Map<number, Asked>();

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
    let asked = this.#asked.get(slot);
    if (asked === undefined) {
      const controller = new AbortController();
      if (!this.#isControlled(slot)) return controller.signal;
      asked = { controller, context: keepContext() };
      this.#asked.set(slot, asked);
    }
    this.#abortIfAsked(slot, asked.controller);
    return asked.controller.signal;
  }

  /** The job of `slot` has ended. */
  forget(slot: number): void {
    this.#asked.delete(slot);
  }

  /** Aborts the signals of suspended jobs that are to stop; not while a job runs here, which would not expect it. */
  abortAsked(): void {
    if (!this.anyAsked || this.#context.running !== 0) return;
    // What listens to them is the user's.
    this.#context.leave();
    try {
      for (const [slot, { controller, context }] of this.#asked) {
        runIn(() => this.#abortIfAsked(slot, controller), context);
      }
    } finally {
      this.#context.enter();
    }
  }

  /** Whether `abortAsked` would abort any. */
  get anyAsked(): boolean {
    if (this.#asked.size === 0) return false;
    for (const [slot, { controller }] of this.#asked) {
      if (!controller.signal.aborted && isAskedToStop(this.#context, slot)) return true;
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
