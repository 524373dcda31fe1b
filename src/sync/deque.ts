/**
 * A growable Chase–Lev work-stealing deque of positive integers.
 *
 * Source: D. Chase, Y. Lev, "Dynamic Circular Work-Stealing Deque", SPAA 2005; written with the
 * sequentially consistent atomics of JavaScript, so that no further fences are needed.
 *
 * Words, from `base`:   TOP      position of the oldest item; thieves move it
 *                       BOTTOM   position after the newest item; only the owner writes it
 *                       ARRAY    address of the circular array, plus log2 of its capacity
 *
 * Invariants
 *  1. TOP only grows; the items are those at positions TOP to BOTTOM - 1 (32-bit, compared by difference).
 *  2. A position's item is written before BOTTOM passes it, and is not overwritten in that array
 *     before TOP has passed it.
 *  3. An array that was replaced is never written again nor reused: a thief may read from it for ever.
 *     (Each is half the size of the next, so all the old ones together are smaller than the present one.)
 *  4. An item is taken by whoever moves TOP past it with a compare-exchange; or by the owner,
 *     without one, when BOTTOM was lowered and then TOP seen to be below it: a later thief sees the lower BOTTOM.
 *
 * Used as a queue (the owner never calls `pop`), it hands out items first-in first-out, and thieves
 * may take many with one compare-exchange: `stealMany`.
 */
import { LINE, type Words } from "./words.js";

const TOP = 0;
const BOTTOM = LINE;
const ARRAY = LINE + 1;
const LOG_BITS = 31;

/** How many words a deque's own fields take (its array is allocated apart). */
export const DEQUE_WORDS = 2 * LINE;

/** What `pop` and `steal` return when there is nothing to take. */
export const NOTHING = 0;

/** Gives the address of `words` zeroed words, a multiple of 32, or 0 when there is no memory. */
export type Allocate = (words: number) => number;

export class Deque {
  readonly #words: Words;
  readonly #base: number;
  readonly #allocate: Allocate;
  /** The owner's own copies: BOTTOM including what is not yet published, and a TOP that may be old. */
  #bottom = 0;
  #top = 0;
  #array = 0;
  #mask = -1;

  /**
   * @param words shared memory
   * @param base first word of the deque, all zero when it is new
   * @param allocate where the owner gets arrays from; thieves never call it
   */
  constructor(words: Words, base: number, allocate: Allocate) {
    this.#words = words;
    this.#base = base;
    this.#allocate = allocate;
  }

  /** Owner: appends `item` without showing it to anyone yet. @returns false when there is no memory */
  append(item: number): boolean {
    if (((this.#bottom - this.#top) | 0) > this.#mask && !this.#makeRoom()) return false;
    this.#words.i32[this.#array + (this.#bottom & this.#mask)] = item;
    this.#bottom = (this.#bottom + 1) | 0;
    return true;
  }

  /** Who takes a dead owner's place, before anything else: goes on where that one has stopped. */
  resume(): void {
    const { i32 } = this.#words;
    const packed = i32[this.#base + ARRAY];
    if (packed === 0) return;
    this.#bottom = i32[this.#base + BOTTOM];
    this.#top = i32[this.#base + TOP];
    this.#array = packed & ~LOG_BITS;
    this.#mask = (1 << (packed & LOG_BITS)) - 1;
  }

  /** Owner: publishes all appended items with one store. */
  publish(): void {
    // Publishes the items to thieves: they load BOTTOM before they read an item.
    Atomics.store(this.#words.i32, this.#base + BOTTOM, this.#bottom);
  }

  /** Owner: the newest item, or NOTHING; thieves may have taken it since the last `pop`. */
  get newest(): number {
    return this.#bottom === this.#top ? NOTHING : this.#words.i32[this.#array + ((this.#bottom - 1) & this.#mask)];
  }

  /** Owner: takes the newest item, or NOTHING; also if that is below `least`. Everything appended must have been published. */
  pop(least = 0): number {
    // Only the owner adds items and only it moves #bottom: nothing above the known TOP means empty.
    if (this.#bottom === this.#top) return NOTHING;
    const i32 = this.#words.i32;
    const bottom = (this.#bottom - 1) | 0;
    if (least > 0 && i32[this.#array + (bottom & this.#mask)] < least) return NOTHING;
    // Announces the claim on position `bottom` before TOP is read: a thief that reads BOTTOM
    // later sees it; one that read it earlier has moved TOP, or fails at its compare-exchange.
    Atomics.store(i32, this.#base + BOTTOM, bottom);
    const top = Atomics.load(i32, this.#base + TOP);
    this.#top = top;
    const left = (bottom - top) | 0;
    if (left > 0) {
      this.#bottom = bottom;
      return i32[this.#array + (bottom & this.#mask)];
    }
    let item = NOTHING;
    if (left === 0) {
      item = i32[this.#array + (bottom & this.#mask)];
      // The last item: settles who takes it, the owner or a thief.
      if (Atomics.compareExchange(i32, this.#base + TOP, top, (top + 1) | 0) !== top) item = NOTHING;
      this.#top = (top + 1) | 0;
    }
    this.#bottom = this.#top;
    // Empty again: BOTTOM back to where TOP now is. Thieves that see the lower one see "empty" too.
    Atomics.store(i32, this.#base + BOTTOM, this.#bottom);
    return item;
  }

  /** Anyone: takes the oldest item, or NOTHING; also if that is below `least`. */
  steal(least = 0): number {
    const words = this.#words;
    const base = this.#base;
    for (;;) {
      // TOP before BOTTOM: else an item that the owner took in between could seem to be there.
      const top = Atomics.load(words.i32, base + TOP);
      const bottom = Atomics.load(words.i32, base + BOTTOM);
      if (((bottom - top) | 0) <= 0) return NOTHING;
      const item = this.#read(top);
      // Not taken, it may be another's by now: then it was the oldest a moment ago.
      if (item < least) return NOTHING;
      // Claims position `top` against the other thieves and the owner's last pop.
      if (Atomics.compareExchange(words.i32, base + TOP, top, (top + 1) | 0) === top) return item;
    }
  }

  /**
   * Anyone, and **only on a deque whose owner never pops**: takes the oldest items, at most `limit`
   * and at most half of what is there (rounded up), with one compare-exchange.
   *
   * @returns how many items were written to the start of `out`, oldest first
   */
  stealMany(out: Int32Array, limit: number): number {
    const words = this.#words;
    const base = this.#base;
    for (;;) {
      // As in `steal`.
      const top = Atomics.load(words.i32, base + TOP);
      const bottom = Atomics.load(words.i32, base + BOTTOM);
      const there = (bottom - top) | 0;
      if (there <= 0) return 0;
      const count = Math.min(limit, (there + 1) >>> 1);
      for (let k = 0; k < count; k++) out[k] = this.#read((top + k) | 0);
      // Claims the positions against the other thieves: BOTTOM never falls, so all of them were there.
      if (Atomics.compareExchange(words.i32, base + TOP, top, (top + count) | 0) === top) return count;
    }
  }

  /**
   * Anyone: the oldest item without taking it, or NOTHING. If others take items too, it is only a hint: its place may have
   * another item by now.
   */
  peek(): number {
    const words = this.#words;
    // As in `steal`.
    const top = Atomics.load(words.i32, this.#base + TOP);
    const bottom = Atomics.load(words.i32, this.#base + BOTTOM);
    return ((bottom - top) | 0) <= 0 ? NOTHING : this.#read(top);
  }

  /** Anyone: whether there seems to be an item. */
  get empty(): boolean {
    const i32 = this.#words.i32;
    // As in `steal`: TOP first.
    const top = Atomics.load(i32, this.#base + TOP);
    return ((Atomics.load(i32, this.#base + BOTTOM) - top) | 0) <= 0;
  }

  /**
   * To be called while no other thread uses the deque, after its owner has died: undoes a `pop` that was under way.
   * Its item may be in no deque now.
   */
  repair(): void {
    const { i32 } = this.#words;
    const top = i32[this.#base + TOP];
    if (((i32[this.#base + BOTTOM] - top) | 0) < 0) i32[this.#base + BOTTOM] = top;
  }

  /**
   * To be called while no other thread uses the deque: calls `use` with each item.
   *
   * @param unpublished how many items its owner has appended and not yet published
   */
  forEach(unpublished: number, use: (item: number) => void): void {
    const { i32 } = this.#words;
    const bottom = i32[this.#base + BOTTOM] + unpublished;
    for (let position = i32[this.#base + TOP]; ((bottom - position) | 0) > 0; position = (position + 1) | 0) {
      use(this.#read(position));
    }
  }

  #read(position: number): number {
    const words = this.#words;
    // Pairs with the owner's store of a grown array: its content is copied by then. An older
    // array still holds the position (invariant 3), or the claim that follows fails.
    const packed = Atomics.load(words.i32, this.#base + ARRAY);
    const array = packed & ~LOG_BITS;
    const mask = (1 << (packed & LOG_BITS)) - 1;
    words.reach(array + mask);
    return words.i32[array + (position & mask)];
  }

  /** Owner: learns how far the thieves have come; doubles the array if that is not enough. */
  #makeRoom(): boolean {
    const words = this.#words;
    // An old TOP only makes the deque seem fuller than it is.
    this.#top = Atomics.load(words.i32, this.#base + TOP);
    const count = (this.#bottom - this.#top) | 0;
    if (count <= this.#mask) return true;
    const log = this.#mask < 0 ? FIRST_LOG : 32 - Math.clz32(this.#mask) + 1;
    const mask = (1 << log) - 1;
    const array = this.#allocate(mask + 1);
    if (array === 0) return false;
    const i32 = words.i32;
    for (let k = 0; k < count; k++) {
      const position = (this.#top + k) | 0;
      i32[array + (position & mask)] = i32[this.#array + (position & this.#mask)];
    }
    this.#array = array;
    this.#mask = mask;
    // Publishes the copied items: a thief that sees this address sees them.
    Atomics.store(i32, this.#base + ARRAY, array | log);
    return true;
  }
}

/** The first array is large enough to seldom grow and small enough to be one of many. */
const FIRST_LOG = 10;
