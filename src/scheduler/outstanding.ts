/**
 * Scheduled jobs of this thread that nobody waits for: nobody tells it when they have finished, so it looks itself,
 * whenever it has no free slot at hand: at a few, going on where it stopped the last time. So the slots that it frees
 * are hot in its cache when they are taken, and it looks at no more than four jobs for each slot that is taken.
 *
 * They are kept as a set of bits, so that a look goes through the slots in the order of their addresses,
 * which processors read ahead, and frees them in that order too.
 */
import { CLOSED, S_CONTINUATIONS, SLOT_LOG } from "../memory/layout.js";
import type { Context } from "./context.js";
import { enlarged } from "./enlarged.js";

/** How many slots `sweepSome` frees at the most (but for the rest of a word), and how many words with jobs it looks at. */
const ENOUGH = 64;
const FEW_WORDS = 8;
/** How many words without jobs it passes over at the most, in groups of 32. */
const FEW_GAPS = 64;

export class Outstanding {
  /** A bit for each slot; and one for each of their words that is not 0. */
  #slots = new Int32Array(1024);
  #words = new Int32Array(32);
  #count = 0;
  /** The word at which `sweepSome` goes on. */
  #next = 0;

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
  }

  /** Takes over the outcomes of some that have finished. */
  sweepSome(context: Context): void {
    if (this.#count === 0) return;
    const enough = this.#count - ENOUGH;
    let gaps = 0;
    for (let looked = 0; looked < FEW_WORDS && this.#count > enough; ) {
      if (this.#next >= this.#slots.length) this.#next = 0;
      const summary = this.#next >>> 5;
      const words = this.#words[summary] & (-1 << this.#next);
      if (words === 0) {
        this.#next = (summary + 1) << 5;
        if (++gaps > FEW_GAPS) return;
        continue;
      }
      const word = (summary << 5) | (31 - Math.clz32(words & -words));
      if (this.#sweepWord(context, word) === 0) this.#words[summary] &= ~(1 << word);
      this.#next = word + 1;
      looked++;
    }
  }

  /** @returns the bits that are left */
  #sweepWord(context: Context, word: number): number {
    const { i32 } = context.memory;
    let bits = this.#slots[word];
    while (bits !== 0) {
      const slot = (word << 5) | (31 - Math.clz32(bits & -bits));
      bits &= bits - 1;
      const list = (slot << SLOT_LOG) + S_CONTINUATIONS;
      // A plain read first, which is much cheaper: who sees an old value looks again another time.
      if (i32[list] !== CLOSED) continue;
      // Pairs with the finisher's closing of the list: it touches the slot no more, and the result is there.
      if (Atomics.load(i32, list) === CLOSED) context.runner.deliver(slot);
    }
    return this.#slots[word];
  }

  #grow(word: number): void {
    const length = 2 ** Math.ceil(Math.log2(word + 1));
    this.#slots = enlarged(this.#slots, length);
    this.#words = enlarged(this.#words, length >>> 5);
  }
}
