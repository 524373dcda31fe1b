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
 * A thread that is looking around for work says so (`startSearch`): as long as one does, `notifyOne`
 * wakes nobody, since the searcher will find the work; it is then the searcher who, having stopped
 * its search and taken something, looks whether more is there and calls `notifyOne`. A thread that
 * was woken from WAITING counts as searching until its `endSearch`. So a burst of work costs its
 * producer one wake, and the woken wake each other as long as there is more to do. (The same rule
 * as in the scheduler of Go: D. Vyukov, "Scalable Go Scheduler Design Doc", 2012.)
 *
 * A thread that sleeps so that its event loop turns is TURNING. It may be in the midst of other code, and nobody can tell:
 * then it hears of its wake when that code ends. So `notifyOne` prefers threads that are WAITING; where there is none it wakes
 * all that are TURNING, and counts none of them as searching.
 *
 * Words, from `base`:   COUNTS   lower half: SLEEPERS, at least the number of waiters in state WAITING or TURNING;
 *                                upper half: SEARCHERS
 *                       a word for each thread: AWAKE, WAITING, TURNING or LISTENING…
 *
 * Invariants
 *  1. A thread's word leaves AWAKE only by its own `prepare`, and returns by exactly one successful
 *     compare-exchange or its own `cancel`: so each wake is delivered once.
 *  2. SLEEPERS is raised before the word becomes WAITING or TURNING and lowered after it has left that:
 *     a notifier that reads 0 may skip its search. SEARCHERS is lowered before the searcher's last look.
 *  3. The waiter's last look comes after its `prepare`, the notifier's reading of SLEEPERS and of
 *     the words after its change; all are sequentially consistent, so either the waiter sees the
 *     change or the notifier sees the waiter. Likewise the last look of a searcher.
 */
import { waitAsync } from "../platform/host.js";
import { LINE, type Words } from "./words.js";

const COUNTS = 0;
const SLEEPERS_MASK = 0xffff;
const SEARCHER = 0x10000;

/** Running. */
export const AWAKE = 0;
/** Asleep, or about to be, and to be woken by `notifyOne`: then it goes on at once. */
export const WAITING = 1;
/** Not to be woken by `notifyOne`, only by a `notify` of this very thread. */
export const LISTENING = 2;
/** As LISTENING, but only for what must not wait: `notify(thread, URGENT)`. */
export const URGENT = 3;
/** As WAITING, but the thread's event loop turns meanwhile. */
export const TURNING = 4;

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
    if (state === WAITING || state === TURNING) Atomics.add(i32, this.#base + COUNTS, 1);
    // From here on a notifier can find us; what it published before, our next look finds.
    Atomics.store(i32, this.wordOf(me), state);
  }

  /**
   * Takes the announcement back.
   *
   * @param state what was given to `prepare`
   * @returns true if a notifier was faster: its wake is now ours, to be passed on if it was meant
   * for work that we do not take
   */
  cancel(me: number, state: number = WAITING): boolean {
    const i32 = this.#words.i32;
    // Settles the race with a notifier: exactly one of the two moves the word to AWAKE.
    const before = Atomics.exchange(i32, this.wordOf(me), AWAKE);
    // Lowered after the word has left that state (invariant 2); a notifier has done so itself, and made us a searcher.
    if (before === WAITING || before === TURNING) Atomics.sub(i32, this.#base + COUNTS, 1);
    else if (before === AWAKE && state === WAITING) this.endSearch();
    return before === AWAKE;
  }

  /**
   * Sleeps until notified. Who was WAITING then counts as searching.
   *
   * @param state what was given to `prepare`
   * @param timeout how long at the most, in milliseconds
   * @returns false when the time is over: then `cancel`
   */
  commit(me: number, state: number = WAITING, timeout = Number.POSITIVE_INFINITY): boolean {
    const { i32 } = this.#words;
    const word = this.wordOf(me);
    // Returns at once if a notifier has already moved the word: no wake is lost in between. A notifier
    // of an earlier sleep may call Atomics.notify only now; then the word has not moved, and we sleep on.
    do {
      if (Atomics.wait(i32, word, state, timeout) === "timed-out") return false;
    } while (Atomics.load(i32, word) === state);
    return true;
  }

  /** As `commit`, but lets the thread's event loop run meanwhile: what runs in it may `cancel` the sleep, and then calls `resume`. */
  async commitAsync(me: number, state: number = TURNING): Promise<void> {
    // As in `commit`.
    do await this.changed(me, state);
    while (this.isIn(me, state));
  }

  /** Settles when this thread may be no longer in a state that it has announced. Its event loop runs meanwhile. */
  async changed(me: number, state: number): Promise<void> {
    // Compares under the engine's lock, as in `commit`: a notifier that has moved the word is not missed.
    await waitAsync(this.#words.i32, this.wordOf(me), state).value;
  }

  /** Whether a thread is in this state. */
  isIn(thread: number, state: number): boolean {
    // Pairs with the notifier's compare-exchange.
    return Atomics.load(this.#words.i32, this.wordOf(thread)) === state;
  }

  /** Lets `commitAsync` of this thread, whose sleep was cancelled meanwhile, return. */
  resume(me: number): void {
    // After the change of the word: it finds itself awake.
    Atomics.notify(this.#words.i32, this.wordOf(me));
  }

  /** Says that this thread looks for work, unless `limit` threads do. @returns whether it now counts as searching */
  startSearch(limit: number): boolean {
    const i32 = this.#words.i32;
    // Races with other searchers: the limit may be exceeded, which does no harm.
    if (Atomics.load(i32, this.#base + COUNTS) >>> 16 >= limit) return false;
    // From here on notifiers leave to us what they publish.
    Atomics.add(i32, this.#base + COUNTS, SEARCHER);
    return true;
  }

  /** Ends the search. Look around once more after this: notifiers have relied on us until now. */
  endSearch(): void {
    // Before the last look (invariant 2): a notifier that still sees us has published before that look.
    Atomics.sub(this.#words.i32, this.#base + COUNTS, SEARCHER);
  }

  /** Wakes one waiting thread, or else all whose event loop turns, if nobody is searching. @returns whether any was woken */
  notifyOne(): boolean {
    const i32 = this.#words.i32;
    // Invariant 3: read after the notifier's change. Usually 0, or somebody searches, and then this is all it costs.
    const counts = Atomics.load(i32, this.#base + COUNTS);
    if (counts === 0 || counts >= SEARCHER) return false;
    for (let k = 0; k < this.#threads; k++) {
      this.#next = this.#next + 1 < this.#threads ? this.#next + 1 : 0;
      if (this.#wake(this.#next, WAITING)) return true;
    }
    return this.#wakeAll(TURNING);
  }

  /** Wakes `thread` if it waits or listens (for what is `urgent`, if it listens for that only). */
  notify(thread: number, urgent = false): boolean {
    // Invariant 3: read after the notifier's change.
    const state = Atomics.load(this.#words.i32, this.wordOf(thread));
    if (state === AWAKE || (state === URGENT && !urgent)) return false;
    return this.#wake(thread, state);
  }

  /** Wakes every thread that waits, or whose event loop turns. */
  notifyAll(): void {
    this.#wakeAll(WAITING);
    this.#wakeAll(TURNING);
  }

  /**
   * To be called while nobody else uses the event count, after the thread `dead` has died: counts anew.
   *
   * @param asleep whether a thread lives, was WAITING when it fell asleep, and has not gone on since
   */
  repair(dead: number, asleep: (thread: number) => boolean): void {
    const { i32 } = this.#words;
    i32[this.wordOf(dead)] = AWAKE;
    let counts = 0;
    for (let thread = 0; thread < this.#threads; thread++) {
      const state = i32[this.wordOf(thread)];
      if (state === WAITING || state === TURNING) counts++;
      else if (state === AWAKE && asleep(thread)) counts += SEARCHER;
      // The dead thread may have moved the word and not got as far as this.
      Atomics.notify(i32, this.wordOf(thread));
    }
    i32[this.#base + COUNTS] = counts;
  }

  /** Whether `thread` neither waits nor listens: if it did, it has been woken, or has taken that back. */
  isAwake(thread: number): boolean {
    // A thread that is about to go on counts as awake.
    return this.isIn(thread, AWAKE);
  }

  /** How many threads wait, also so that their event loop turns; may be too high for a moment, never too low. */
  get sleepers(): number {
    // As in notifyOne.
    return Atomics.load(this.#words.i32, this.#base + COUNTS) & SLEEPERS_MASK;
  }

  #wakeAll(state: number): boolean {
    let any = false;
    for (let thread = 0; thread < this.#threads; thread++) any = this.#wake(thread, state) || any;
    return any;
  }

  #wake(thread: number, state: number): boolean {
    const i32 = this.#words.i32;
    const word = this.wordOf(thread);
    // Settles the race with other notifiers and the waiter's cancel: one of them delivers the wake.
    if (Atomics.compareExchange(i32, word, state, AWAKE) !== state) return false;
    // Lowered after the word has left that state (invariant 2); in the same step who was WAITING becomes a searcher.
    if (state === WAITING) Atomics.add(i32, this.#base + COUNTS, SEARCHER - 1);
    else if (state === TURNING) Atomics.sub(i32, this.#base + COUNTS, 1);
    // Atomics.wait compares under the engine's lock, so the word's change before this is seen.
    Atomics.notify(i32, word);
    return true;
  }
}
