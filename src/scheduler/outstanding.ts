/**
 * Scheduled jobs of this thread that nobody waits for: nobody tells it when they have finished, so it
 * looks itself from time to time. It does so when as many were added as the last look has left over, which
 * makes at most two looks a job on average, and at most as many finished slots lie idle as there are live ones.
 */
import { AWAITED, CLOSED, S_CONTINUATIONS, S_GENERATION, SLOT_LOG } from "../memory/layout.js";
import type { Context } from "./context.js";

const FEWEST = 1024;
/** Slots whose words are read at once, so that they come into this processor's cache together. */
const BLOCK = 64;

export class Outstanding {
  /** Pairs of slot and generation. */
  #entries = new Int32Array(4 * FEWEST);
  #end = 0;
  #due = 2 * FEWEST;
  /** Keeps the reading ahead from being optimised away. */
  ahead = 0;

  /** Whether it is time to look. */
  get due(): boolean {
    return this.#end >= this.#due;
  }

  add(slot: number, generation: number): void {
    if (this.#end === this.#entries.length) this.#grow();
    this.#entries[this.#end++] = slot;
    this.#entries[this.#end++] = generation;
  }

  /** Takes over the outcomes of those that have finished. */
  sweep(context: Context): void {
    const entries = this.#entries;
    const { i32 } = context.memory;
    let left = 0;
    for (let at = 0; at < this.#end; at += 2) {
      if (at % (2 * BLOCK) === 0) this.#readAhead(i32, at);
      const slot = entries[at];
      const address = slot << SLOT_LOG;
      if (i32[address + S_GENERATION] !== entries[at + 1]) continue;
      // Pairs with the finisher's closing of the list: it touches the slot no more, and the result is there.
      const continuations = Atomics.load(i32, address + S_CONTINUATIONS);
      if (continuations === CLOSED) {
        context.runner.deliver(slot);
      } else if ((continuations & AWAITED) === 0) {
        entries[left++] = slot;
        entries[left++] = entries[at + 1];
      }
    }
    this.#end = left;
    this.#due = Math.max(2 * FEWEST, 2 * left);
  }

  #readAhead(i32: Int32Array, from: number): void {
    const to = Math.min(this.#end, from + 2 * BLOCK);
    let sum = 0;
    for (let at = from; at < to; at += 2) sum ^= i32[this.#entries[at] << SLOT_LOG];
    this.ahead = sum;
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#entries.length);
    larger.set(this.#entries);
    this.#entries = larger;
  }
}
