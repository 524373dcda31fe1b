/**
 * The slots that a walk through a graph has still to visit, taken in the order of their addresses: from the last one
 * on in one direction, as an elevator goes, and back when there are none. Jobs that were spawned one after the other
 * lie side by side, and so do, more or less, a job and what it depends on: the walk stays in the processor's cache.
 * A depth-first one would jump to and fro in the whole graph.
 *
 * A set of bits with summaries: a bit of each level says whether a word of the level below has any.
 */
import { slotAt, slotIndex } from "../memory/layout.js";
import { enlarged } from "./enlarged.js";

/** Enough for 2^25 slots. */
const LEVELS = 5;

export class Frontier {
  readonly #levels = Array.from({ length: LEVELS }, () => new Int32Array(32));
  /** The index of the slot that was taken last, and whether the next one is looked for above it. */
  #at = 0;
  #upwards = false;

  get empty(): boolean {
    return this.#levels[LEVELS - 1][0] === 0;
  }

  /** Adds a slot, if it is not in already. */
  push(slot: number): void {
    let index = slotIndex(slot);
    if (index >>> 5 >= this.#levels[0].length) this.#grow(index >>> 5);
    for (let level = 0; level < LEVELS; level++) {
      const words = this.#levels[level];
      const before = words[index >>> 5];
      words[index >>> 5] = before | (1 << index);
      if (before !== 0) return;
      index >>>= 5;
    }
  }

  /** Takes a slot out. @returns 0 when there is none */
  pop(): number {
    let index = this.#next();
    if (index < 0) {
      this.#upwards = !this.#upwards;
      index = this.#next();
      if (index < 0) return 0;
    }
    this.#at = index;
    this.#remove(index);
    return slotAt(index);
  }

  /** The next index in the present direction, or -1. */
  #next(): number {
    const words = this.#levels[0];
    const word = this.#at >>> 5;
    // Mostly in the same word.
    if (this.#upwards) {
      const rest = words[word] & (-1 << this.#at);
      return rest !== 0 ? (word << 5) | lowest(rest) : this.#above(word + 1);
    }
    const rest = words[word] & (-1 >>> ~this.#at);
    return rest !== 0 ? (word << 5) | highest(rest) : this.#below(word - 1);
  }

  /** The lowest index in the words from `word` on, or -1. */
  #above(word: number): number {
    let index = word;
    for (let level = 1; level < LEVELS; level++) {
      const words = this.#levels[level];
      const at = index >>> 5;
      const rest = at < words.length ? words[at] & (-1 << index) : 0;
      if (rest !== 0) return this.#descend(level, (at << 5) | lowest(rest), lowest);
      index = at + 1;
    }
    return -1;
  }

  /** The highest index in the words up to `word`, or -1. */
  #below(word: number): number {
    let index = word;
    for (let level = 1; level < LEVELS && index >= 0; level++) {
      const at = index >>> 5;
      const rest = this.#levels[level][at] & (-1 >>> ~index);
      if (rest !== 0) return this.#descend(level, (at << 5) | highest(rest), highest);
      index = at - 1;
    }
    return -1;
  }

  /** From a bit of a level down to the lowest or highest index below it. */
  #descend(from: number, bit: number, choose: (word: number) => number): number {
    let index = bit;
    for (let level = from - 1; level >= 0; level--) index = (index << 5) | choose(this.#levels[level][index]);
    return index;
  }

  #remove(at: number): void {
    let index = at;
    for (let level = 0; level < LEVELS; level++) {
      const words = this.#levels[level];
      const after = words[index >>> 5] & ~(1 << index);
      words[index >>> 5] = after;
      if (after !== 0) return;
      index >>>= 5;
    }
  }

  #grow(word: number): void {
    let length = 2 ** Math.ceil(Math.log2(word + 1));
    for (let level = 0; level < LEVELS; level++) {
      this.#levels[level] = enlarged(this.#levels[level], Math.max(32, length));
      length = Math.ceil(length / 32);
    }
  }
}

function lowest(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function highest(word: number): number {
  return 31 - Math.clz32(word);
}
