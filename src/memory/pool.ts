/**
 * A pool of equal cells, as one thread uses it. Taking and giving back touch no shared memory: free
 * cells stand in an array of the thread's own, last-in first-out (hot in cache). Only whole batches
 * change threads, through a lock-free channel, whose ever-growing positions make it safe against ABA.
 * A batch travels written into some of its own cells, the carriers: so a taker reads a few cells of a
 * batch and not, one after the other, each.
 *
 * Invariants
 *  1. A cell is in exactly one place: taken, in one thread's array, in a batch in the exchange, or not yet carved.
 *  2. A free cell belongs to whoever has its array or batch, but for the words before the shape's `link`,
 *     which nobody changes. A batch is published by the channel's send, so what its carriers hold is
 *     seen by the thread that receives it.
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
  readonly #carvedWords: number;
  readonly #batch: number;
  readonly #link: number;
  readonly #limit: number;
  readonly #carving: number;
  /** The free cells of this thread: two batches, or more while the exchange is full. */
  #free: Int32Array;
  #count = 0;
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
    this.#carvedWords = shape.carvedWords;
    this.#batch = shape.batch;
    this.#link = shape.link;
    this.#limit = limit;
    this.#carving = H_POOLS + 2 * index;
    this.#free = new Int32Array(2 * shape.batch);
  }

  /** Whether this thread has no free cell at hand. */
  get empty(): boolean {
    return this.#count === 0;
  }

  /** Takes a cell. @returns its address, or 0 when there is none */
  take(): number {
    if (this.#count === 0 && !this.#refill()) return 0;
    return this.#free[--this.#count];
  }

  /** Gives a cell back. */
  give(cell: number): void {
    if (this.#count === this.#free.length) this.#makeRoom();
    this.#free[this.#count++] = cell;
  }

  /** Sends the batch that was not used for longest to the other threads; keeps it if the exchange is full. */
  #makeRoom(): void {
    const free = this.#free;
    if (this.#exchange.send(this.#pack()) === SENT) {
      free.copyWithin(0, this.#batch, this.#count);
      this.#count -= this.#batch;
    } else {
      this.#free = new Int32Array(2 * free.length);
      this.#free.set(free);
    }
  }

  /** Writes the oldest batch into its carriers: each holds the address of the next one, then cells. @returns the first */
  #pack(): number {
    const { i32 } = this.#memory;
    const free = this.#free;
    const room = this.#cellWords - this.#link - 1;
    let carrier = 0;
    for (let k = 0; k < this.#batch; ) {
      const word = free[k++] + this.#link;
      i32[word] = carrier;
      carrier = word - this.#link;
      for (let held = 1; held <= room; held++) i32[word + held] = k < this.#batch ? free[k++] : 0;
    }
    return carrier;
  }

  #refill(): boolean {
    let carrier = this.#exchange.receive();
    if (carrier === EMPTY) return this.#carve();
    const memory = this.#memory;
    const room = this.#cellWords - this.#link - 1;
    while (carrier !== 0) {
      // The cells of a batch may come from regions that this thread has not seen yet.
      memory.reach(carrier);
      const word = carrier + this.#link;
      for (let held = 1; held <= room; held++) {
        const cell = memory.i32[word + held];
        if (cell === 0) break;
        memory.reach(cell);
        this.#free[this.#count++] = cell;
      }
      this.#free[this.#count++] = carrier;
      carrier = memory.i32[word];
    }
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
      const needsRegion = from % this.#carvedWords === 0;
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
        // Taken from the end: the lowest address first.
        for (let cell = end - words; cell >= start; cell -= words) this.#free[this.#count++] = cell;
        return true;
      }
    }
  }
}
