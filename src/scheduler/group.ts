/**
 * Groups: many jobs, one counter, no handles.
 *
 * Only the thread that made a group adds jobs to it, so how many there are is a plain number there;
 * how many have finished is counted in shared memory. A worker counts the group's jobs that it
 * finishes one after the other by itself, and adds them up before it executes anything else or
 * looks for work in vain: while it executes a job of the group, the group is not done anyway.
 */
import {
  B_GROUPS,
  G_COUNT,
  G_DONE,
  G_FAILURE,
  G_NEXT,
  G_OWNER,
  G_PREVIOUS,
  G_TARGET,
  GROUP_BYTES,
  NOBODY,
  P_DATA,
} from "../memory/layout.js";
import type { Context } from "./context.js";

/** Numbers of jobs begin anew beyond this. */
export const COUNT = 0x7fffffff;

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
  i32[group + G_COUNT] = 0;
  enlist(context, group);
  return group;
}

/** Puts a group at the head of this thread's list, where a recovery finds it: forwards, the list is whole after each step. */
export function enlist(context: Context, group: number): void {
  const { memory, block } = context;
  const first = memory.i32[block + B_GROUPS];
  memory.i32[group + G_NEXT] = first;
  memory.i32[group + G_PREVIOUS] = 0;
  memory.i32[block + B_GROUPS] = group;
  if (first !== 0) memory.i32[first + G_PREVIOUS] = group;
}

/** Frees the record of a group whose jobs have all finished. */
export function freeGroup(context: Context, group: number): void {
  const { memory, block } = context;
  const next = memory.i32[group + G_NEXT];
  const previous = memory.i32[group + G_PREVIOUS];
  memory.i32[previous === 0 ? block + B_GROUPS : previous + G_NEXT] = next;
  if (next !== 0) memory.i32[next + G_PREVIOUS] = previous;
  context.payloads.free(group - P_DATA);
}

/** Frees the record of a group whose owner has died, once its jobs have finished. */
export function discardGroup(context: Context, group: number): void {
  const failure = context.memory.i32[group + G_FAILURE];
  if (failure > 1) context.payloads.free(failure);
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
  const { memory, counted } = context;
  if (counted === 0) return;
  const group = context.countedGroup;
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
