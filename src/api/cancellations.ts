/** The signals that cancel jobs of this thread. One listener serves all jobs of a signal. */
import type { Context } from "../scheduler/context.js";
import { askToStop, cancel } from "../scheduler/control.js";
import { claimCancelled, finishClaimed } from "../scheduler/controlled.js";
import { finishFromOutside } from "../scheduler/main-loop.js";

/** The pending jobs of a signal, and what listens to it. */
interface Listened {
  readonly slots: Set<number>;
  readonly listener: () => void;
}

export class Cancellations {
  readonly #context: Context;
  readonly #storeReason: (reason: unknown) => number;
  readonly #onAborted: (slot: number, state: number) => void;
  readonly #afterwards: () => void;
  readonly #listened = new Map<AbortSignal, Listened>();
  readonly #signals = new Map<number, AbortSignal>();

  /**
   * @param storeReason stores a signal's reason, and gives the payload
   * @param onAborted called with a job with `kill` that was asked to stop: its worker ends with it, if the job is still in `state`
   * @param afterwards called when jobs were cancelled: some may have settled
   */
  constructor(
    context: Context,
    storeReason: (reason: unknown) => number,
    onAborted: (slot: number, state: number) => void,
    afterwards: () => void,
  ) {
    this.#context = context;
    this.#storeReason = storeReason;
    this.#onAborted = onAborted;
    this.#afterwards = afterwards;
  }

  /** From now on `signal`, and no other, cancels the unscheduled job of `slot`; at once, if it is aborted. */
  watch(slot: number, signal: AbortSignal): void {
    this.forget(slot);
    this.#signals.set(slot, signal);
    if (signal.aborted) {
      cancel(this.#context, slot);
      return;
    }
    let listened = this.#listened.get(signal);
    if (listened === undefined) {
      listened = { slots: new Set(), listener: () => this.#abortAll(signal) };
      this.#listened.set(signal, listened);
      signal.addEventListener("abort", listened.listener);
    }
    listened.slots.add(slot);
  }

  /** Whether a signal may still cancel a job. Its timer, as that of `AbortSignal.timeout`, keeps no thread alive by itself. */
  get listening(): boolean {
    return this.#listened.size > 0;
  }

  /** Whether a signal may cancel the unscheduled job of `slot`. */
  watches(slot: number): boolean {
    return this.#signals.has(slot);
  }

  /** Why the job of `slot` was cancelled, as far as this thread knows. */
  reasonOf(slot: number): unknown {
    const signal = this.#signals.get(slot);
    return signal?.aborted ? signal.reason : undefined;
  }

  /** The job of `slot` has settled, or has another signal. */
  forget(slot: number): void {
    const signal = this.#signals.get(slot);
    if (signal === undefined) return;
    this.#signals.delete(slot);
    const listened = this.#listened.get(signal);
    if (listened === undefined) return;
    listened.slots.delete(slot);
    if (listened.slots.size === 0) this.#leave(signal, listened);
  }

  /** No job of this thread settles any more. */
  clear(): void {
    for (const [signal, listened] of this.#listened) this.#leave(signal, listened);
    this.#signals.clear();
  }

  #leave(signal: AbortSignal, { listener }: Listened): void {
    this.#listened.delete(signal);
    signal.removeEventListener("abort", listener);
  }

  /** Cancels one pending job of a signal that serves others, too, or asks it to stop. */
  abortOne(slot: number, reason: unknown): void {
    if (this.#signals.has(slot)) this.#abort([slot], reason);
  }

  #abortAll(signal: AbortSignal): void {
    this.#abort([...(this.#listened.get(signal)?.slots ?? [])], signal.reason);
  }

  #abort(slots: readonly number[], reason: unknown): void {
    const toEnd: { slot: number; state: number }[] = [];
    const before = this.#context.enter();
    try {
      finishFromOutside(this.#context, () => this.#cancelAll(slots, reason, toEnd));
      for (const { slot, state } of toEnd) this.#onAborted(slot, state);
    } finally {
      this.#context.leave(before);
    }
    this.#afterwards();
  }

  #cancelAll(slots: readonly number[], reason: unknown, toEnd: { slot: number; state: number }[]): void {
    // First all that wait: else those that depend on others of them would start, or fail, because of these.
    const cancelled = slots.filter((slot) => cancel(this.#context, slot));
    for (const slot of slots) {
      const state = askToStop(this.#context, slot, () => this.#storeReason(reason));
      if (state !== 0) toEnd.push({ slot, state });
    }
    // They settle now: each is ours before one of them makes others ready, which whoever takes them would settle later.
    const claimed = cancelled.filter((slot) => claimCancelled(this.#context, slot));
    for (const slot of claimed) finishClaimed(this.#context, slot);
  }
}
