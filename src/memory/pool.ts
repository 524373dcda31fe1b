/**
 * A pool of equal cells, as one thread uses it. Taking and giving back touch only the thread's own words: its
 * free cells stand in an array there, last-in first-out (hot in cache). Only whole batches change threads, through a lock-free channel, whose ever-growing positions make it safe against ABA.
 * A batch travels written into some of its own cells, the carriers: so a taker reads a few cells of a
 * batch and not, one after the other, each.
 *
 * Invariants
 *  1. A cell is in exactly one place: taken, in one thread's array, in a batch in the exchange, or not yet carved.
 *  2. A free cell belongs to whoever has its array or batch, but for the words before the shape's `link`,
 *     which nobody changes. A batch is published by the channel's send, so what its carriers hold is
 *     seen by the thread that receives it.
 *  3. The array and its count are in shared memory so that whoever takes a dead thread's place goes on with them.
 *     A cell leaves the array before it goes anywhere else, and is written to it before the count rises: so a thread
 *     that dies in between loses cells, at most a batch, but none is in two places.
 *  4. New cells are carved batch by batch from the newest region; the compare-exchange on the
 *     carving address gives each batch to one thread. Carved cells hold zeros.
 */
import { Channel, EMPTY, SENT } from "../sync/channel.js";
import { H_POOLS, POOL_SLOTS, REGION_WORDS } from "./layout.js";
import type { Memory } from "./memory.js";

/** In the exchange, in place of a batch: its sender has died before it could say which. */
const NO_BATCH = 0;

export class Pool {
  readonly #memory: Memory;
  readonly #exchange: Channel;
  readonly #cellWords: number;
  readonly #carvedWords: number;
  readonly #batch: number;
  readonly #link: number;
  readonly #limit: number;
  readonly #carving: number;
  /** Where the free cells of this thread are: two batches at most. */
  readonly #count: number;
  readonly #free: number;
  readonly #capacity: number;
  /** Where to note that a region has cells of this pool, or 0. */
  readonly #regions: number;
  /** What there is no room for while the exchange is full. */
  readonly #overflow: number[] = [];
  /** Scratch. */
  readonly #oldest: Int32Array;
  /** Regions that lost the race to be the one carved from. */
  #spareRegion = 0;

  /**
   * @param me the thread that uses it
   * @param index the pool's number in the layout
   * @param limit how many cells there may be, in all threads together
   */
  constructor(memory: Memory, me: number, index: number, limit = Number.POSITIVE_INFINITY) {
    const { layout } = memory;
    const shape = layout.shapes[index];
    this.#memory = memory;
    this.#exchange = new Channel(memory, layout.exchanges[index], shape.exchange);
    this.#cellWords = shape.cellWords;
    this.#carvedWords = shape.carvedWords;
    this.#batch = shape.batch;
    this.#link = shape.link;
    this.#limit = limit;
    this.#carving = H_POOLS + 2 * index;
    this.#count = layout.freeOf(me, index);
    this.#free = this.#count + 1;
    this.#capacity = 2 * shape.batch;
    this.#oldest = new Int32Array(shape.batch);
    this.#regions = index === POOL_SLOTS ? layout.slotRegions : 0;
  }

  /** Whether this thread has no free cell at hand. */
  get empty(): boolean {
    return this.#memory.i32[this.#count] === 0;
  }

  /** Takes a cell. @returns its address, or 0 when there is none */
  take(): number {
    const memory = this.#memory;
    if (memory.i32[this.#count] === 0 && !this.#refill()) return 0;
    const { i32 } = memory;
    const count = i32[this.#count] - 1;
    i32[this.#count] = count;
    return i32[this.#free + count];
  }

  /** Gives a cell back. */
  give(cell: number): void {
    const { i32 } = this.#memory;
    const count = i32[this.#count];
    if (count === this.#capacity) {
      this.#makeRoom();
      this.give(cell);
      return;
    }
    i32[this.#free + count] = cell;
    i32[this.#count] = count + 1;
  }

  /** After a thread has died: lets the exchange go on where that thread was in the middle of using it. */
  repair(): void {
    this.#exchange.repair(NO_BATCH);
  }

  /** Sends the batch that was not used for longest to the other threads; keeps it apart if the exchange is full. */
  #makeRoom(): void {
    const { i32 } = this.#memory;
    const batch = this.#batch;
    const oldest = this.#oldest;
    for (let k = 0; k < batch; k++) oldest[k] = i32[this.#free + k];
    // Invariant 3: the count first.
    i32[this.#count] = batch;
    for (let k = 0; k < batch; k++) i32[this.#free + k] = i32[this.#free + batch + k];
    if (this.#exchange.send(this.#pack(oldest)) !== SENT) this.#overflow.push(...oldest);
  }

  /** Writes a batch into its carriers: each holds the address of the next one, then cells. @returns the first */
  #pack(batch: Int32Array): number {
    const { i32 } = this.#memory;
    const room = this.#cellWords - this.#link - 1;
    let carrier = 0;
    for (let k = 0; k < batch.length; ) {
      const word = batch[k++] + this.#link;
      i32[word] = carrier;
      carrier = word - this.#link;
      for (let held = 1; held <= room; held++) i32[word + held] = k < batch.length ? batch[k++] : 0;
    }
    return carrier;
  }

  #refill(): boolean {
    for (let k = 0; k < this.#batch && this.#overflow.length > 0; k++) this.give(this.#overflow.pop() as number);
    if (!this.empty) return true;
    let carrier: number;
    do carrier = this.#exchange.receive();
    while (carrier === NO_BATCH);
    if (carrier === EMPTY) return this.#carve();
    const memory = this.#memory;
    const room = this.#cellWords - this.#link - 1;
    while (carrier !== 0) {
      // The cells of a batch may come from regions that this thread has not seen yet.
      memory.reach(carrier);
      const word = carrier + this.#link;
      const next = memory.i32[word];
      for (let held = 1; held <= room; held++) {
        const cell = memory.i32[word + held];
        if (cell === 0) break;
        memory.reach(cell);
        this.give(cell);
      }
      this.give(carrier);
      carrier = next;
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
        if (start !== 0 && this.#regions !== 0) memory.i32[this.#regions + start / REGION_WORDS] = 1;
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
        for (let cell = end - words; cell >= start; cell -= words) this.give(cell);
        return true;
      }
    }
  }
}
