/** Where jobs are during a recovery: in a queue of ready jobs, or in their owner's list of finished ones. */
import {
  B_FINISHED,
  B_HELD_BACK,
  H_MAIN_JOBS,
  H_REGIONS_END,
  REGION_WORDS,
  S_COLD,
  S_LINK,
  SLOT_LOG,
  SLOT_WORDS,
  slotIndex,
} from "../memory/layout.js";
import type { Context } from "./context.js";
import { slotOf } from "./rank.js";

const IN_QUEUE = 1;
const IN_LIST = 2;

export class Whereabouts {
  /** For each slot, IN_QUEUE, IN_LIST or 0. */
  readonly #places: Uint8Array;

  /** Looks through all queues and lists, which `dead` threads do not use any more, and the others not now. */
  constructor(context: Context, dead: ReadonlySet<number>) {
    const { memory, normal, highFirst, threads, fifo, unpublished, taken, toDeliver, undelivered } = context;
    const { i32, layout } = memory;
    const places = new Uint8Array((i32[H_REGIONS_END] / REGION_WORDS) * (S_COLD / SLOT_WORDS));
    this.#places = places;
    const queued = (item: number) => {
      places[slotIndex(slotOf(item))] = IN_QUEUE;
    };
    const finished = (slot: number) => {
      places[slotIndex(slot)] = IN_LIST;
    };
    const forEachFrom = (first: number, use: (item: number) => void) => {
      for (let item = first; item > 0; item = i32[(slotOf(item) << SLOT_LOG) + S_LINK]) use(item);
    };
    for (let thread = 0; thread < threads; thread++) {
      const block = layout.blockOf(thread);
      // What a dead thread has not published is nobody's. With threads: 1, the main thread keeps that apart.
      const heldBack = fifo || dead.has(thread) ? 0 : i32[block + B_HELD_BACK];
      for (const level of highFirst) level.deques[thread].forEach(level === normal ? heldBack : 0, queued);
      forEachFrom(i32[block + B_FINISHED], finished);
    }
    for (const { inner } of highFirst) inner.forEach(0, queued);
    unpublished.forEach(queued);
    forEachFrom(i32[H_MAIN_JOBS], queued);
    taken.forEach(queued);
    forEachFrom(toDeliver, finished);
    undelivered.forEach(finished);
  }

  isQueued(slot: number): boolean {
    return this.#places[slotIndex(slot)] === IN_QUEUE;
  }

  /** Whether a job's owner was told that it has finished, and has not taken that over. */
  isListed(slot: number): boolean {
    return this.#places[slotIndex(slot)] === IN_LIST;
  }
}
