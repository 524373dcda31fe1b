/**
 * Pausing all other threads, so that one has shared memory to itself: each is seen outside the scheduler, and stops when it
 * next enters it (`Context.enter`).
 *
 * A thread writes INSIDE and then reads H_EPOCH; we write H_EPOCH and then read each phase. With atomic accesses
 * on both sides one would see the other (Dekker), but two of them for each call of each job would cost more than a job.
 * So theirs are plain, and we wait DRAIN milliseconds in between: a processor keeps a write to itself for well below a
 * microsecond, so that a thread which has read the old epoch has been seen INSIDE since long. (The idea is that of
 * asymmetric fences: D. Dice, H. Huang, M. Yang, "Asymmetric Dekker Synchronization", 2001.)
 */

import { B_PHASE, H_EPOCH, INSIDE } from "../memory/layout.js";
import { elapsed } from "../platform/host.js";
import { delay } from "../sync/delay.js";
import type { Context } from "./context.js";

/** How long writes may take to be seen, in milliseconds: far more than they do. */
const DRAIN = 1;
/** How long others are paused at the most before the last of them has stopped; then we try again later. */
const PATIENCE = 20;
const PAUSE = 0.2;

/** Stops the others. @returns whether they have all stopped; if not, they go on */
export function pause(context: Context, others: readonly number[]): boolean {
  const { memory } = context;
  // Odd from now on: seen by each thread when it next enters the scheduler.
  Atomics.add(memory.i32, H_EPOCH, 1);
  delay(DRAIN);
  const end = elapsed() + PATIENCE;
  for (;;) {
    // Pairs with the plain write in `enter`.
    const inside = (thread: number) => Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_PHASE) === INSIDE;
    if (!others.some(inside)) return true;
    if (elapsed() >= end) break;
    delay(PAUSE);
  }
  resume(context);
  return false;
}

/** Lets the others go on. */
export function resume(context: Context): void {
  const { i32 } = context.memory;
  // Even again: publishes all that was repaired to whoever enters after it.
  context.epoch = Atomics.add(i32, H_EPOCH, 1) + 1;
  Atomics.notify(i32, H_EPOCH);
}
