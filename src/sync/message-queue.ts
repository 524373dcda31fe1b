/**
 * A bounded multi-producer multi-consumer queue of messages that lie in cells of any width.
 *
 * Source: D. Vyukov, "Bounded MPMC queue" (1024cores), as in channel.ts; with E. Rigtorp's turns
 * (MPMCQueue), which count laps, so that every capacity is possible, 1 as well.
 *
 * Words, from `base`:   HEAD   position of the next take
 *                       TAIL   position of the next claim * 2, plus 1 when closed
 *                       cells  a turn, then the message's words
 *
 * A sender:    cell = claim() – write the message's words – publish(cell).
 * A receiver:  cell = take() – read the message's words – release(cell).
 *
 * Invariants
 *  1. Positions only grow, modulo a multiple of the capacity near 2^30; position p uses cell p mod capacity,
 *     in lap p / capacity.
 *  2. A cell's turn tells what may happen next in it: 2 * lap: free for the sender of that lap; 2 * lap + 1:
 *     full, for the receiver of that lap. Each adds 1 when it is done. All zero is an empty queue.
 *  3. Only the thread whose compare-exchange moved TAIL past p writes the cell of p, and only the thread
 *     whose compare-exchange moved HEAD past p reads it: messages are never doubled, lost or mixed up.
 *  4. Being closed is part of TAIL, so that no claim can succeed after `close`.
 *
 * Nobody ever waits: while a sender is between claim and publication the queue looks empty to receivers
 * from there on, and likewise full to senders. So both are to be short, and a thread that is terminated
 * in between stops the queue at that cell.
 */
import { LINE, type Words } from "./words.js";

const HEAD = 0;
const TAIL = LINE;
const CELLS = 2 * LINE;
const CLOSED = 1;
const MOST_POSITIONS = 2 ** 30;

/** What `take` returns when there is nothing to receive now, and `claim` when there is no room now. */
export const NONE_NOW = -1;
/** What `claim` returns when the queue is closed. */
export const SHUT = -2;

/** How many words a queue of `capacity` cells of `cellWords` words takes. */
export function queueWords(capacity: number, cellWords: number): number {
  return CELLS + capacity * cellWords;
}

export class MessageQueue {
  readonly #words: Words;
  readonly #base: number;
  readonly #capacity: number;
  readonly #cellWords: number;
  readonly #positions: number;
  readonly #turns: number;

  /**
   * @param words shared memory
   * @param base first word of the queue, all zero when it is new
   * @param capacity how many messages there may be at once, 1 to 2^28
   * @param cellWords words in each cell: the turn and the message's own, 1 or more
   */
  constructor(words: Words, base: number, capacity: number, cellWords: number) {
    this.#words = words;
    this.#base = base;
    this.#capacity = capacity;
    this.#cellWords = cellWords;
    const laps = Math.floor(MOST_POSITIONS / capacity);
    this.#positions = laps * capacity;
    this.#turns = 2 * laps;
  }

  /** Claims a free cell. @returns its address, the message's words come after it; or NONE_NOW, or SHUT */
  claim(): number {
    const { i32 } = this.#words;
    const word = this.#base + TAIL;
    for (;;) {
      // Races with other senders and with close; the compare-exchange below settles it.
      const tail = Atomics.load(i32, word);
      if (tail & CLOSED) return SHUT;
      const position = tail >>> 1;
      const lap = (position / this.#capacity) | 0;
      const cell = this.#cellAt(position - lap * this.#capacity);
      // Pairs with the receiver's release: its reading of the cell is over.
      if (Atomics.load(i32, cell) === 2 * lap) {
        // Claims the position against the other senders, and fails if the queue was closed.
        if (Atomics.compareExchange(i32, word, tail, this.#after(position) << 1) === tail) return cell;
      } else if (Atomics.load(i32, word) === tail) {
        // TAIL has not moved, so the cell was still full from the lap before when its turn was read.
        return NONE_NOW;
      }
    }
  }

  /** Shows the message in a claimed cell to receivers. */
  publish(cell: number): void {
    // Nobody else writes the turn of a claimed cell. Publishes the message to the receiver of this position.
    Atomics.store(this.#words.i32, cell, this.#words.i32[cell] + 1);
  }

  /** Takes the oldest message. @returns the address of its cell, to be released; or NONE_NOW */
  take(): number {
    const { i32 } = this.#words;
    const word = this.#base + HEAD;
    for (;;) {
      // Races with other receivers; the compare-exchange below settles it.
      const head = Atomics.load(i32, word);
      const lap = (head / this.#capacity) | 0;
      const cell = this.#cellAt(head - lap * this.#capacity);
      // Pairs with the sender's publication: the message is written.
      if (Atomics.load(i32, cell) === 2 * lap + 1) {
        // Claims the position against the other receivers.
        if (Atomics.compareExchange(i32, word, head, this.#after(head)) === head) return cell;
      } else if (Atomics.load(i32, word) === head) {
        // HEAD has not moved, so the message was not there yet when the turn was read.
        return NONE_NOW;
      }
    }
  }

  /** Hands a cell whose message was read to the sender of the next lap. */
  release(cell: number): void {
    const { i32 } = this.#words;
    const turn = i32[cell] + 1;
    // Nobody else writes the turn of a taken cell. Our reading is over when the next sender sees this.
    Atomics.store(i32, cell, turn === this.#turns ? 0 : turn);
  }

  /** Closes the queue: what was claimed before can be taken, nothing more can be claimed. */
  close(): void {
    // In the same word as the position, so that a racing claim either came before or fails.
    Atomics.or(this.#words.i32, this.#base + TAIL, CLOSED);
  }

  get closed(): boolean {
    // Pairs with close; once it is so it stays so.
    return (Atomics.load(this.#words.i32, this.#base + TAIL) & CLOSED) !== 0;
  }

  /** Whether the queue is closed and every message has been taken. */
  get drained(): boolean {
    const { i32 } = this.#words;
    // TAIL no longer moves once it is closed, so reading it first makes the answer final.
    const tail = Atomics.load(i32, this.#base + TAIL);
    return (tail & CLOSED) !== 0 && tail >>> 1 === Atomics.load(i32, this.#base + HEAD);
  }

  #cellAt(index: number): number {
    return this.#base + CELLS + index * this.#cellWords;
  }

  #after(position: number): number {
    return position + 1 === this.#positions ? 0 : position + 1;
  }
}
