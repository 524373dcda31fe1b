/**
 * Scheduled jobs of this thread that nobody waits for: nobody tells it when they have finished, so it
 * looks itself from time to time. It does so when as many were added as the last look has left over, which
 * makes at most two looks a job on average, and at most as many finished slots lie idle as there are live ones.
 *
 * They are kept as a set of bits, so that a look goes through the slots in the order of their addresses,
 * which processors read ahead, and frees them in that order too.
 */
import { CLOSED, S_CONTINUATIONS, SLOT_LOG } from "../memory/layout.js";
import type { Context } from "./context.js";

const FEWEST = 1024;

export class Outstanding {
  /** A bit for each slot; and one for each of their words that is not 0. */
  #slots = new Int32Array(1024);
  #words = new Int32Array(32);
  #count = 0;
  #due = FEWEST;

  /** Whether it is time to look. */
  get due(): boolean {
    return this.#count >= this.#due;
  }

  add(slot: number): void {
    const word = slot >>> 5;
    if (word >= this.#slots.length) this.#grow(word);
    this.#slots[word] |= 1 << slot;
    this.#words[word >>> 5] |= 1 << word;
    this.#count++;
  }

  /** Takes a job out, if it is in: its outcome is taken over, or its finisher will tell. */
  remove(slot: number): void {
    const word = slot >>> 5;
    const bit = 1 << slot;
    if (word >= this.#slots.length || (this.#slots[word] & bit) === 0) return;
    this.#slots[word] ^= bit;
    this.#count--;
  }

  /** Takes over the outcomes of those that have finished. */
  sweep(context: Context): void {
    if (this.#count === 0) return;
    for (let summary = 0; summary < this.#words.length; summary++) {
      let words = this.#words[summary];
      while (words !== 0) {
        const word = 31 - Math.clz32(words & -words);
        words &= words - 1;
        if (this.#sweepWord(context, (summary << 5) | word) === 0) this.#words[summary] &= ~(1 << word);
      }
    }
    this.#due = Math.max(FEWEST, 2 * this.#count);
  }

  /** @returns the bits that are left */
  #sweepWord(context: Context, word: number): number {
    let bits = this.#slots[word];
    while (bits !== 0) {
      const slot = (word << 5) | (31 - Math.clz32(bits & -bits));
      bits &= bits - 1;
      // Pairs with the finisher's closing of the list: it touches the slot no more, and the result is there.
      if (Atomics.load(context.memory.i32, (slot << SLOT_LOG) + S_CONTINUATIONS) === CLOSED) {
        context.runner.deliver(slot);
      }
    }
    return this.#slots[word];
  }

  #grow(word: number): void {
    const length = 2 ** Math.ceil(Math.log2(word + 1));
    this.#slots = enlarged(this.#slots, length);
    this.#words = enlarged(this.#words, length >>> 5);
  }
}

function enlarged(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
