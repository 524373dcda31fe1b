/**
 * A bounded multi-producer multi-consumer channel of integers from 0 to 2^31 - 1.
 *
 * Source: D. Vyukov, "Bounded MPMC queue" (1024cores), with receipt of batches and `close` added.
 *
 * Words, from `base`:   HEAD   position of the next receive
 *                       TAIL   position of the next send * 2, plus 1 when closed
 *                       cells  a turn and a value for each
 *
 * Invariants
 *  1. Positions only grow (modulo 2^31); position p uses cell p mod capacity.
 *  2. A cell's turn tells what may happen next at position p of lap L = p - p mod capacity:
 *     turn = L: free for the sender of p; turn = L + 1: full, for the receiver of p;
 *     the receiver leaves L + capacity, which is "free" for the next lap. All zero is an empty channel.
 *  3. Only the thread whose compare-exchange moved TAIL from p writes the cell of p, and only
 *     the thread whose compare-exchange moved HEAD past p empties it: values are never doubled or lost.
 *  4. Being closed is part of TAIL, so that no send can succeed after `close`.
 *
 * Nobody ever waits: a sender stopped between claim and publication makes its cell look not yet
 * full, and receivers report "empty" and turn to other work.
 */
import { LINE, type Words } from "./words.js";

const HEAD = 0;
const TAIL = LINE;
const CELLS = 2 * LINE;
const POSITION = 0x7fffffff;
const CLOSED = 1;

/** What `receive` returns when there is nothing to receive now. */
export const EMPTY = -1;

/** The outcome of `send`. */
export const SENT = 0;
export const FULL = 1;
export const SHUT = 2;

/** How many words a channel of `capacity` values takes. */
export function channelWords(capacity: number): number {
  return CELLS + 2 * capacity;
}

export class Channel {
  readonly #words: Words;
  readonly #base: number;
  readonly #mask: number;

  /**
   * @param words shared memory
   * @param base first word of the channel, all zero when the channel is new
   * @param capacity a power of two, 2 to 2^26
   */
  constructor(words: Words, base: number, capacity: number) {
    if (capacity < 2 || capacity > 2 ** 26 || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`capacity must be a power of two from 2 to 2^26, not ${capacity}`);
    }
    this.#words = words;
    this.#base = base;
    this.#mask = capacity - 1;
  }

  /** Sends `value`: SENT, FULL, or SHUT when the channel is closed. */
  send(value: number): number {
    const i32 = this.#words.i32;
    const base = this.#base;
    const mask = this.#mask;
    for (;;) {
      // Races with other senders and with close; the compare-exchange below settles it.
      const tail = Atomics.load(i32, base + TAIL);
      if (tail & CLOSED) return SHUT;
      const position = (tail >>> 1) & POSITION;
      const cell = base + CELLS + 2 * (position & mask);
      const lap = position & ~mask;
      // Pairs with the receiver's store of the turn: its reading of the cell is over.
      const ahead = distance(Atomics.load(i32, cell), lap);
      if (ahead === 0) {
        // Claims the position against the other senders, and fails if the channel was closed.
        if (Atomics.compareExchange(i32, base + TAIL, tail, ((position + 1) << 1) | 0) === tail) {
          i32[cell + 1] = value;
          // Publishes the value to the receiver that claims this position.
          Atomics.store(i32, cell, lap + 1);
          return SENT;
        }
      } else if (ahead < 0) {
        // Still full from the lap before, or claimed by a receiver that has not emptied it yet.
        // If HEAD moves on meanwhile, TAIL stays, so the answer held when the turn was read.
        if (Atomics.load(i32, base + TAIL) === tail) return FULL;
      }
    }
  }

  /** Receives one value, or EMPTY. */
  receive(): number {
    const i32 = this.#words.i32;
    const base = this.#base;
    const mask = this.#mask;
    for (;;) {
      // Races with other receivers; the compare-exchange below settles it.
      const head = Atomics.load(i32, base + HEAD);
      const cell = base + CELLS + 2 * (head & mask);
      const lap = head & ~mask;
      // Pairs with the sender's store of the turn: the value is written.
      const ahead = distance(Atomics.load(i32, cell), lap + 1);
      if (ahead === 0) {
        // Claims the position against the other receivers.
        if (Atomics.compareExchange(i32, base + HEAD, head, (head + 1) & POSITION) === head) {
          const value = i32[cell + 1];
          // Hands the emptied cell to the sender of the next lap.
          Atomics.store(i32, cell, (lap + mask + 1) & POSITION);
          return value;
        }
      } else if (ahead < 0) {
        return EMPTY;
      }
    }
  }

  /**
   * Receives up to `limit` values, and at most half of what is there (rounded up), with one
   * compare-exchange.
   *
   * @returns how many values were written to the start of `out`
   */
  receiveMany(out: Int32Array, limit: number): number {
    const i32 = this.#words.i32;
    const base = this.#base;
    const mask = this.#mask;
    for (;;) {
      // As in `receive`. TAIL is only an estimate of how much is there: the turns decide.
      const head = Atomics.load(i32, base + HEAD);
      const tail = Atomics.load(i32, base + TAIL);
      const there = ((tail >>> 1) - head) & POSITION;
      const most = Math.min(limit, (there + 1) >>> 1, mask + 1);
      let count = 0;
      while (count < most) {
        const position = (head + count) & POSITION;
        // Pairs with the sender's store of the turn, for each value of the batch.
        const turn = Atomics.load(i32, base + CELLS + 2 * (position & mask));
        if (distance(turn, (position & ~mask) + 1) !== 0) break;
        count++;
      }
      if (count === 0) {
        // Nothing ready, or another receiver was faster: only the second is worth another look.
        if (Atomics.load(i32, base + HEAD) === head) return 0;
        continue;
      }
      // Claims the whole batch: HEAD has not moved, so every cell seen full is still full.
      if (Atomics.compareExchange(i32, base + HEAD, head, (head + count) & POSITION) !== head) continue;
      for (let k = 0; k < count; k++) {
        const position = (head + k) & POSITION;
        const cell = base + CELLS + 2 * (position & mask);
        out[k] = i32[cell + 1];
        // Hands the emptied cell to the sender of the next lap.
        Atomics.store(i32, cell, ((position & ~mask) + mask + 1) & POSITION);
      }
      return count;
    }
  }

  /** Closes the channel: what was sent can be received, nothing more can be sent. */
  close(): void {
    // In the same word as the position, so that a racing send either came before or fails.
    Atomics.or(this.#words.i32, this.#base + TAIL, CLOSED);
  }

  /**
   * To be called while no other thread uses the channel, after one has died that may have been using it: completes its
   * sends, with `value`, and its receives, whose values are lost. Without it, both would hold up all others for ever.
   */
  repair(value: number): void {
    const { i32 } = this.#words;
    const base = this.#base;
    const mask = this.#mask;
    const head = i32[base + HEAD];
    const tail = (i32[base + TAIL] >>> 1) & POSITION;
    for (let position = head; position !== tail; position = (position + 1) & POSITION) {
      const cell = base + CELLS + 2 * (position & mask);
      const lap = position & ~mask;
      if (distance(i32[cell], lap + 1) >= 0) continue;
      i32[cell + 1] = value;
      i32[cell] = lap + 1;
    }
    const oldest = tail <= mask ? 0 : tail - mask - 1;
    for (let position = oldest; position !== head; position = (position + 1) & POSITION) {
      const cell = base + CELLS + 2 * (position & mask);
      const lap = position & ~mask;
      if (i32[cell] === lap + 1) i32[cell] = (lap + mask + 1) & POSITION;
    }
  }

  /** Whether the channel is closed and everything sent has been claimed by a receiver. */
  get drained(): boolean {
    const i32 = this.#words.i32;
    // TAIL no longer moves once it is closed, so reading it first makes the answer final.
    const tail = Atomics.load(i32, this.#base + TAIL);
    if (!(tail & CLOSED)) return false;
    return ((tail >>> 1) & POSITION) === Atomics.load(i32, this.#base + HEAD);
  }
}

/** `turn - expected` modulo 2^31, as a signed number. */
function distance(turn: number, expected: number): number {
  return ((turn - expected) << 1) >> 1;
}
