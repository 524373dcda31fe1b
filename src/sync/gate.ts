/**
 * A gate: where any number of threads, known to nobody, wait until something may have changed.
 * Unlike the event count it needs no word for each thread, so it works for threads of any program.
 *
 * Source: the event count's idea (D. Vyukov, 1024cores) in the single word of a futex-based sequence
 * lock: the word is odd while somebody may be waiting, and a notifier makes it even again.
 *
 * A waiter:    key = announce() – look again – found: go on, nothing: sleep(key), then look again.
 * A notifier:  make the change visible (atomically) – notify().
 *
 * Invariants
 *  1. The word only grows (modulo 2^32): by `announce` to the next odd number, by `notify` to the next even one.
 *  2. The waiter's look comes after its `announce`, the notifier's reading of the word after its change;
 *     all are sequentially consistent. So either the waiter sees the change, or the notifier sees an odd word.
 *  3. Whoever moves the word on to an even number wakes all who sleep. A notifier that is beaten to it may
 *     leave: its change came before, and those woken look again after.
 *
 * All are woken and not one, because the one might be unable to act: an event loop that is busy, or a
 * thread that was terminated. A wake never says that there is something, only that it is worth a look.
 * A waiter that goes without sleeping has nothing to undo; the next notifier wakes nobody, once.
 */
import { waitAsync } from "../platform/host.js";
import type { Words } from "./words.js";

export class Gate {
  readonly #words: Words;
  readonly #word: number;

  /**
   * @param words shared memory
   * @param word the gate's word, 0 when it is new
   */
  constructor(words: Words, word: number) {
    this.#words = words;
    this.#word = word;
  }

  /** Announces that this thread is about to wait. @returns the key for `sleep`; look again before that */
  announce(): number {
    // From here on a notifier finds us; what it changed before, our next look finds.
    return Atomics.or(this.#words.i32, this.#word, 1) | 1;
  }

  /** Sleeps until notified, or not at all if that has happened since the key was given; then look again. */
  sleep(key: number): void {
    // Compares under the engine's lock: a notifier that has moved the word on is not missed.
    Atomics.wait(this.#words.i32, this.#word, key);
  }

  /** As `sleep`, but lets the thread's event loop run meanwhile. */
  async sleepAsync(key: number): Promise<void> {
    // As in `sleep`.
    await waitAsync(this.#words.i32, this.#word, key).value;
  }

  /** Wakes all who wait. Called after what they wait for has become visible. */
  notify(): void {
    const { i32 } = this.#words;
    // Invariant 2: read after the change. Usually even, and then this is all it costs.
    const key = Atomics.load(i32, this.#word);
    if ((key & 1) === 0) return;
    // Settles which of several notifiers wakes them (invariant 3).
    if (Atomics.compareExchange(i32, this.#word, key, (key + 1) | 0) === key) Atomics.notify(i32, this.#word);
  }
}
