/**
 * A pool of equal cells, as one thread uses it. Taking and giving back cost a few plain loads and
 * stores: cells come from and go to the thread's own free lists, last-in first-out (hot in cache);
 * only whole batches change threads, through a lock-free channel, whose ever-growing positions make
 * it safe against ABA.
 *
 * Invariants
 *  1. A cell is in exactly one place: taken, in one thread's lists, in a batch in the exchange, or not yet carved.
 *  2. A free cell's link word belongs to whoever has its list. A batch is published by the channel's
 *     send, so its links are seen by the thread that receives it.
 *  3. New cells are carved batch by batch from the newest region; the compare-exchange on the
 *     carving address gives each batch to one thread. Carved cells hold zeros.
 */
import { Channel, EMPTY, SENT } from "../sync/channel.js";
import { H_POOLS, REGION_WORDS } from "./layout.js";
import type { Memory } from "./memory.js";

export class Pool {
  readonly #memory: Memory;
  readonly #exchange: Channel;
  readonly #cellWords: number;
  readonly #batch: number;
  readonly #link: number;
  readonly #limit: number;
  readonly #carving: number;
  #head = 0;
  #count = 0;
  /** Full batches: normally none or one; more only while the exchange is full. */
  readonly #batches: number[] = [];
  #fresh = 0;
  #freshEnd = 0;
  /** Regions that lost the race to be the one carved from. */
  #spareRegion = 0;

  /**
   * @param index the pool's number in the layout
   * @param limit how many cells there may be, in all threads together
   */
  constructor(memory: Memory, index: number, limit = Number.POSITIVE_INFINITY) {
    const shape = memory.layout.shapes[index];
    this.#memory = memory;
    this.#exchange = new Channel(memory, memory.layout.exchanges[index], shape.exchange);
    this.#cellWords = shape.cellWords;
    this.#batch = shape.batch;
    this.#link = shape.link;
    this.#limit = limit;
    this.#carving = H_POOLS + 2 * index;
  }

  /** Takes a cell. @returns its address, or 0 when there is none */
  take(): number {
    const cell = this.#head;
    if (cell !== 0) {
      // The cells of a batch may come from regions that this thread has not seen yet.
      this.#memory.reach(cell);
      this.#head = this.#memory.i32[cell + this.#link];
      this.#count--;
      return cell;
    }
    if (this.#fresh < this.#freshEnd) {
      const fresh = this.#fresh;
      this.#fresh = fresh + this.#cellWords;
      return fresh;
    }
    return this.#refill() ? this.take() : 0;
  }

  /** Gives a cell back. */
  give(cell: number): void {
    this.#memory.i32[cell + this.#link] = this.#head;
    this.#head = cell;
    if (++this.#count === this.#batch) this.#setBatchAside();
  }

  #setBatchAside(): void {
    this.#batches.push(this.#head);
    this.#head = 0;
    this.#count = 0;
    // One full batch stays here, so that a thread that takes and gives by turns exchanges nothing.
    while (this.#batches.length > 1) {
      if (this.#exchange.send(this.#batches[0]) !== SENT) return;
      this.#batches.shift();
    }
  }

  #refill(): boolean {
    let head = this.#batches.pop() ?? EMPTY;
    if (head === EMPTY) head = this.#exchange.receive();
    if (head === EMPTY) return this.#carve();
    this.#head = head;
    this.#count = this.#batch;
    return true;
  }

  #carve(): boolean {
    const memory = this.#memory;
    const words = this.#cellWords;
    const batch = Math.min(this.#batch, Math.max(1, REGION_WORDS / words));
    const counter = this.#carving + 1;
    if (this.#limit !== Number.POSITIVE_INFINITY) {
      // Reserves the cells before they are carved, so that all threads together keep to the limit.
      if (Atomics.add(memory.i32, counter, batch) + batch > this.#limit) {
        Atomics.sub(memory.i32, counter, batch);
        return false;
      }
    }
    for (;;) {
      // Races with other threads that carve; the compare-exchange gives each batch to one.
      const from = Atomics.load(memory.i32, this.#carving);
      const needsRegion = from % REGION_WORDS === 0;
      let start = from;
      if (needsRegion) {
        start = this.#spareRegion || memory.addRegions(Math.max(1, words / REGION_WORDS));
        this.#spareRegion = start;
        if (start === 0) {
          if (this.#limit !== Number.POSITIVE_INFINITY) Atomics.sub(memory.i32, counter, batch);
          return false;
        }
      }
      const end = start + batch * words;
      if (Atomics.compareExchange(memory.i32, this.#carving, from, end) === from) {
        if (needsRegion) this.#spareRegion = 0;
        memory.reach(end - 1);
        this.#fresh = start;
        this.#freshEnd = end;
        return true;
      }
    }
  }
}
