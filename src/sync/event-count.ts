/**
 * An event count: lets threads sleep until something that they look for may have changed,
 * without locks and without lost wakes.
 *
 * Source: D. Vyukov's event count (1024cores; also Eigen's `EventCount`), with a word for each
 * waiter, so that one particular thread can be woken too.
 *
 * A waiter:    prepare(me) – look again – found: cancel(me), nothing: commit(me).
 * A notifier:  make the change visible (atomically) – notifyOne(), notify(thread) or notifyAll().
 *
 * Words, from `base`:   SLEEPERS   at least the number of waiters in state WAITING
 *                       a word for each thread: AWAKE, WAITING or LISTENING…
 *
 * Invariants
 *  1. A thread's word leaves AWAKE only by its own `prepare`, and returns by exactly one successful
 *     compare-exchange or its own `cancel`: so each wake is delivered once.
 *  2. SLEEPERS is raised before the word becomes WAITING and lowered after it has left WAITING:
 *     a notifier that reads 0 may skip the search.
 *  3. The waiter's last look comes after its `prepare`, the notifier's reading of SLEEPERS and of
 *     the words after its change; all are sequentially consistent, so either the waiter sees the
 *     change or the notifier sees the waiter.
 */
import { LINE, type Words } from "./words.js";

const SLEEPERS = 0;

/** Running. */
export const AWAKE = 0;
/** Asleep, or about to be, and to be woken by `notifyOne`. */
export const WAITING = 1;
/** Not to be woken by `notifyOne`, only by a `notify` of this very thread. */
export const LISTENING = 2;
/** As LISTENING, but only for what must not wait: `notify(thread, URGENT)`. */
export const URGENT = 3;

/** How many words an event count for `threads` threads takes. */
export function eventCountWords(threads: number): number {
  return LINE * (1 + threads);
}

export class EventCount {
  readonly #words: Words;
  readonly #base: number;
  readonly #threads: number;
  #next = 0;

  /**
   * @param words shared memory
   * @param base first word of the event count, all zero when it is new
   * @param threads how many threads may wait, each under its own number from 0
   */
  constructor(words: Words, base: number, threads: number) {
    this.#words = words;
    this.#base = base;
    this.#threads = threads;
  }

  /** The address of a thread's word, for `Atomics.waitAsync`. */
  wordOf(thread: number): number {
    return this.#base + LINE * (1 + thread);
  }

  /** Announces that `me` is about to sleep. Look again after this, then `commit` or `cancel`. */
  prepare(me: number, state: number = WAITING): void {
    const i32 = this.#words.i32;
    // Raised first (invariant 2): a notifier must not skip a waiter that is fully prepared.
    if (state === WAITING) Atomics.add(i32, this.#base + SLEEPERS, 1);
    // From here on a notifier can find us; what it published before, our next look finds.
    Atomics.store(i32, this.wordOf(me), state);
  }

  /**
   * Takes the announcement back.
   *
   * @returns true if a notifier was faster: its wake is now ours, to be passed on if it was meant
   * for work that we do not take
   */
  cancel(me: number): boolean {
    const i32 = this.#words.i32;
    // Settles the race with a notifier: exactly one of the two moves the word to AWAKE.
    const state = Atomics.exchange(i32, this.wordOf(me), AWAKE);
    // Lowered after the word has left WAITING (invariant 2); a notifier has done so itself.
    if (state === WAITING) Atomics.sub(i32, this.#base + SLEEPERS, 1);
    return state === AWAKE;
  }

  /**
   * Sleeps until notified.
   *
   * @param state what was given to `prepare`
   */
  commit(me: number, state: number = WAITING): void {
    const { i32 } = this.#words;
    const word = this.wordOf(me);
    // Returns at once if a notifier has already moved the word: no wake is lost in between. A notifier
    // of an earlier sleep may call Atomics.notify only now; then the word has not moved, and we sleep on.
    do Atomics.wait(i32, word, state);
    while (Atomics.load(i32, word) === state);
  }

  /** As `commit`, but lets the thread's event loop run meanwhile. */
  async commitAsync(me: number, state: number = WAITING): Promise<void> {
    const { i32 } = this.#words;
    const word = this.wordOf(me);
    // As in `commit`.
    do await Atomics.waitAsync(i32, word, state).value;
    while (Atomics.load(i32, word) === state);
  }

  /** Wakes one waiting thread, if there is one. @returns whether one was woken */
  notifyOne(): boolean {
    const i32 = this.#words.i32;
    // Invariant 3: read after the notifier's change. Usually 0, and then this is all it costs.
    if (Atomics.load(i32, this.#base + SLEEPERS) === 0) return false;
    for (let k = 0; k < this.#threads; k++) {
      this.#next = this.#next + 1 < this.#threads ? this.#next + 1 : 0;
      if (this.#wake(this.#next, WAITING)) return true;
    }
    return false;
  }

  /** Wakes `thread` if it waits or listens (for what is `urgent`, if it listens for that only). */
  notify(thread: number, urgent = false): boolean {
    // Invariant 3: read after the notifier's change.
    const state = Atomics.load(this.#words.i32, this.wordOf(thread));
    if (state === AWAKE || (state === URGENT && !urgent)) return false;
    return this.#wake(thread, state);
  }

  /** Wakes every thread that waits. */
  notifyAll(): void {
    for (let thread = 0; thread < this.#threads; thread++) this.#wake(thread, WAITING);
  }

  /** How many threads wait; may be too high for a moment, never too low. */
  get sleepers(): number {
    // As in notifyOne.
    return Atomics.load(this.#words.i32, this.#base + SLEEPERS);
  }

  #wake(thread: number, state: number): boolean {
    const i32 = this.#words.i32;
    const word = this.wordOf(thread);
    // Settles the race with other notifiers and the waiter's cancel: one of them delivers the wake.
    if (Atomics.compareExchange(i32, word, state, AWAKE) !== state) return false;
    // Lowered after the word has left WAITING (invariant 2).
    if (state === WAITING) Atomics.sub(i32, this.#base + SLEEPERS, 1);
    // Atomics.wait compares under the engine's lock, so the word's change before this is seen.
    Atomics.notify(i32, word);
    return true;
  }
}
