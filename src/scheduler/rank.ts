/**
 * Ranks: what a thread may execute while a job waits on its stack.
 *
 * A job's rank says how many jobs were running, each inside the one before, when it became ready: 0 if none was, else one more than
 * the rank of the job that made it ready by spawning or scheduling it. What a finished job makes ready has that job's rank. In a
 * queue, an item is a slot with its rank above it.
 *
 * A wait in a job of rank r takes jobs of rank r + 1 and above, which are most likely what it waits for, or part of it. So each wait on a
 * stack is in a job of a higher rank than the one below it, and the stack is no deeper than the program nests its waits, however many
 * jobs are ready. (Depth-restricted work stealing: J. Sukha, SPAA 2009; its idea is that of leapfrogging: D. Wagner, B. Calder, PPoPP 1993.)
 * Ranks end at MOST_RANK: deeper jobs have that one too, and may be executed inside each other.
 *
 * Jobs of lower rank are foreign to a wait. It leaves them to others, and takes one only where no other thread can go on: it could
 * otherwise last for ever, as what it waits for, or what that depends on, may be foreign. That is enough:
 *
 *  1. Of the threads that come to rest, the last finds all others at rest, and takes what is ready. A thread that has rested before looks
 *     again now and then (`mayTakeForeign`).
 *  2. A wait for jobs that were made inside never comes to this. Of all jobs that wait, take one of the highest rank: what it waits for
 *     does not wait, so a thread executes it, and can go on; or it is ready, and then this wait takes it.
 *  3. A thread at work may itself depend on a foreign job in a way that nobody here sees, as when it receives from a channel, or it may work for
 *     long. So a wait takes one when foreign jobs have been ready for PATIENCE milliseconds in which it has executed nothing, or for
 *     LONGEST_PATIENCE (wait.ts): a stack grows by one wait in that time at most.
 *
 * A foreign job is executed as if it had been made inside the wait, so that the same holds for what follows it, and for waits in it.
 */
import type { Context } from "./context.js";

/** Where in an item its rank begins: below it is the slot. */
const RANK_BITS = 25;
const SLOT_MASK = (1 << RANK_BITS) - 1;
/** An item is a positive number. */
export const MOST_RANK = 63;

/** The smallest item of a rank: no item of a lower rank is as large. */
export function leastItem(rank: number): number {
  return rank << RANK_BITS;
}

/** A queue's item for a job that becomes ready here and now. */
export function itemFor(context: Context, slot: number): number {
  return slot | (context.rank << RANK_BITS);
}

export function slotOf(item: number): number {
  return item & SLOT_MASK;
}

export function rankOf(item: number): number {
  return item >>> RANK_BITS;
}

/** The rank of what a job of `rank` makes ready. */
export function rankWithin(rank: number): number {
  return rank < MOST_RANK ? rank + 1 : MOST_RANK;
}

/** The rank of a job, given that of what it makes ready. */
export function rankAround(rank: number): number {
  return rank < MOST_RANK ? rank - 1 : MOST_RANK;
}
