/**
 * Groups: many jobs, one counter, no handles.
 *
 * Only the thread that made a group adds jobs to it, so how many there are is a plain number there;
 * how many have finished is counted in shared memory. A worker counts the group's jobs that it
 * finishes one after the other by itself, and adds them up before it executes anything else or
 * looks for work in vain: while it executes a job of the group, the group is not done anyway.
 */
import { G_DONE, G_FAILURE, G_OWNER, G_TARGET, GROUP_BYTES, NOBODY, P_DATA } from "../memory/layout.js";
import type { Context } from "./context.js";

const COUNT = 0x7fffffff;

/** Makes the record of a new group. @returns its address, or 0 when there is no memory */
export function makeGroup(context: Context): number {
  const block = context.payloads.allocate(GROUP_BYTES);
  if (block === 0) return 0;
  const group = block + P_DATA;
  const i32 = context.memory.i32;
  i32[group + G_DONE] = 0;
  i32[group + G_TARGET] = NOBODY;
  i32[group + G_OWNER] = context.me;
  i32[group + G_FAILURE] = 0;
  return group;
}

/** Frees the record of a group whose jobs have all finished. */
export function freeGroup(context: Context, group: number): void {
  context.payloads.free(group - P_DATA);
}

/** Counts a finished job; keeps the group's first failure. */
export function countGroupJob(context: Context, group: number, failure: number): void {
  const { memory } = context;
  if (failure !== 0) {
    memory.reach(group);
    // Settles which failure is the first.
    if (Atomics.compareExchange(memory.i32, group + G_FAILURE, 0, failure) !== 0 && failure > 1) {
      context.payloads.free(failure);
    }
  }
  // Jobs that this one waited for may have been counted for another group meanwhile.
  if (context.countedGroup !== group) flushGroup(context);
  context.countedGroup = group;
  context.counted++;
}

/** Adds up what was counted so far, and wakes the group's owner if that was all it waits for. */
export function flushGroup(context: Context): void {
  const { memory, countedGroup: group, counted } = context;
  if (counted === 0) return;
  context.countedGroup = 0;
  context.counted = 0;
  memory.reach(group);
  // Before the count: after it, the owner may free the record.
  const owner = memory.i32[group + G_OWNER];
  // Races with other workers that count, and publishes to the owner what the jobs have written.
  const done = (Atomics.add(memory.i32, group + G_DONE, counted) + counted) & COUNT;
  // The owner stores its target and then reads the count, we the other way round: one of us sees
  // the other. If the record is another's by now, the worst is a needless wake.
  if (Atomics.load(memory.i32, group + G_TARGET) === done && owner !== context.me) context.events.notify(owner);
}

/** Announces that the owner waits for `count` jobs of the group. @returns whether they have all finished */
export function awaitGroup(context: Context, group: number, count: number): boolean {
  // As in flushGroup.
  Atomics.store(context.memory.i32, group + G_TARGET, count & COUNT);
  return groupIsDone(context, group, count);
}

/** Whether `count` jobs of the group have finished. */
export function groupIsDone(context: Context, group: number, count: number): boolean {
  // Pairs with the add in flushGroup: what the jobs have written is seen.
  return Atomics.load(context.memory.i32, group + G_DONE) === (count & COUNT);
}
