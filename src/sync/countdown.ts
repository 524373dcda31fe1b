/**
 * A count that threads raise and lower, and wait for to reach zero; it may be raised again after that.
 *
 * Source: the reusable wait group of Go's standard library (sync.WaitGroup), whose count and number of
 * waiters share a word; here the number of the round takes the place of the waiters'.
 *
 * One word:   lower 22 bits: the count; upper 10 bits: the round, how often it has come down to zero
 *
 * Invariants
 *  1. Count and round change together, in one compare-exchange. The count is never below zero.
 *  2. A waiter is released when it finds the count at zero, or another round than that in which it began:
 *     so a count that is raised again at once keeps nobody waiting. (If exactly a multiple of 1,024 rounds
 *     pass while a waiter is not looking, it waits for the next zero.)
 *  3. A waiter sleeps on the word itself, as it was when it looked: a change before it sleeps is not missed.
 *     Only the thread that brings the count to zero notifies; changes on the way wake nobody.
 */
import { waitAsync } from "../platform/host.js";
import type { Words } from "./words.js";

const COUNT_BITS = 22;
const ROUND = 1 << COUNT_BITS;

/** The highest count. */
export const MOST = ROUND - 1;

/** What `raise` and `lower` return when the count would leave its range; nothing was changed. */
export const OUT_OF_RANGE = -1;

export class Countdown {
  readonly #words: Words;
  readonly #word: number;

  /**
   * @param words shared memory
   * @param word the countdown's word, 0 when it is new
   */
  constructor(words: Words, word: number) {
    this.#words = words;
    this.#word = word;
  }

  get count(): number {
    // Whoever finds 0 sees all that was written before the count was lowered to it.
    return Atomics.load(this.#words.i32, this.#word) & MOST;
  }

  /** The present round, for `over`. */
  get round(): number {
    // Pairs with the change of the round in `lower`: see `over`.
    return Atomics.load(this.#words.i32, this.#word) >>> COUNT_BITS;
  }

  /** Adds `by`, 1 or more. @returns the new count, or OUT_OF_RANGE */
  raise(by: number): number {
    const { i32 } = this.#words;
    for (;;) {
      // Races with others that raise and lower; the compare-exchange settles it.
      const state = Atomics.load(i32, this.#word);
      const count = (state & MOST) + by;
      if (count > MOST) return OUT_OF_RANGE;
      if (Atomics.compareExchange(i32, this.#word, state, state + by) === state) return count;
    }
  }

  /** Takes 1 away; at zero, begins the next round and wakes all who wait. @returns the new count, or OUT_OF_RANGE */
  lower(): number {
    const { i32 } = this.#words;
    for (;;) {
      // As in `raise`. Also publishes what this thread has written to those who wait.
      const state = Atomics.load(i32, this.#word);
      const count = (state & MOST) - 1;
      if (count < 0) return OUT_OF_RANGE;
      const next = count > 0 ? state - 1 : (state - 1 + ROUND) | 0;
      if (Atomics.compareExchange(i32, this.#word, state, next) !== state) continue;
      // Whoever sleeps on an older state is woken; whoever has yet to sleep on it finds the word changed.
      if (count === 0) Atomics.notify(i32, this.#word);
      return count;
    }
  }

  /** Whether a wait that began in `round` is over. */
  over(round: number): boolean {
    // Pairs with `lower`: who finds it over sees all that was written before the count came to zero.
    return isOver(Atomics.load(this.#words.i32, this.#word), round);
  }

  /** Sleeps until a wait that began in `round` may be over, at most for `milliseconds`. */
  sleep(round: number, milliseconds = Number.POSITIVE_INFINITY): void {
    const { i32 } = this.#words;
    // The state that is slept on is the one that was looked at (invariant 3).
    const state = Atomics.load(i32, this.#word);
    if (!isOver(state, round)) Atomics.wait(i32, this.#word, state, milliseconds);
  }

  /** As `sleep`, but lets the thread's event loop run meanwhile. */
  async sleepAsync(round: number): Promise<void> {
    const { i32 } = this.#words;
    // As in `sleep`.
    const state = Atomics.load(i32, this.#word);
    if (!isOver(state, round)) await waitAsync(i32, this.#word, state).value;
  }
}

function isOver(state: number, round: number): boolean {
  return (state & MOST) === 0 || state >>> COUNT_BITS !== round;
}
