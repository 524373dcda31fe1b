/** Taking and releasing job slots. */
import {
  E_OLDER,
  E_SOURCE,
  S_CONTINUATIONS,
  S_EDGE,
  S_FAILURE,
  S_FUNCTION,
  S_GENERATION,
  S_OWNER,
  S_PINS,
  S_PREREQUISITES,
  S_UNMET,
  SLOT_LOG,
  UNSCHEDULED,
} from "../memory/layout.js";
import type { Context } from "./context.js";

/** The last generation; a slot that reaches it is retired, so that no old handle can match again. */
const LAST_GENERATION = 0x7fffffff;

/** Takes a slot for a job with a handle on this thread. @returns 0 when the arena is full */
export function takeSlot(context: Context, header: number): number {
  const address = context.slots.take();
  if (address === 0) return 0;
  const i32 = context.memory.i32;
  i32[address + S_FUNCTION] = header;
  i32[address + S_UNMET] = UNSCHEDULED;
  i32[address + S_CONTINUATIONS] = 0;
  i32[address + S_OWNER] = context.me;
  i32[address + S_FAILURE] = 0;
  i32[address + S_PREREQUISITES] = 0;
  i32[address + S_EDGE + E_SOURCE] = 0;
  return address >>> SLOT_LOG;
}

/** Takes a slot for a job of a group: nothing is ever linked to it. @returns 0 when the arena is full */
export function takeGroupSlot(context: Context, header: number, group: number): number {
  const address = context.slots.take();
  if (address === 0) return 0;
  const i32 = context.memory.i32;
  i32[address + S_FUNCTION] = header;
  i32[address + S_UNMET] = 0;
  i32[address + S_OWNER] = group;
  i32[address + S_FAILURE] = 0;
  return address >>> SLOT_LOG;
}

/** Gives back the slot of a finished job of a group. */
export function releaseGroupSlot(context: Context, slot: number): void {
  context.slots.give(slot << SLOT_LOG);
}

/** Gives back the slot of a finished job whose outcome its owner (this thread) has taken over. */
export function releaseSlot(context: Context, slot: number): void {
  const i32 = context.memory.i32;
  const address = slot << SLOT_LOG;
  const generation = i32[address + S_GENERATION] + 1;
  if (context.pinning) {
    // Makes handles on other threads stale; one that was checked before this has a pin, seen below.
    Atomics.store(i32, address + S_GENERATION, generation);
    // A read-modify-write, so that a later pin synchronises with it and sees all that was done to the job.
    if (Atomics.add(i32, address + S_PINS, 0) !== 0) {
      context.pinned.push(slot);
      return;
    }
  } else {
    i32[address + S_GENERATION] = generation;
  }
  recycle(context, slot);
}

/** Tries again with the slots that others were looking at when they were released. */
export function releasePinned(context: Context): void {
  const { memory, pinned } = context;
  for (let k = pinned.length - 1; k >= 0; k--) {
    // As in releaseSlot. Later pinners see the new generation and leave at once.
    if (Atomics.add(memory.i32, (pinned[k] << SLOT_LOG) + S_PINS, 0) !== 0) continue;
    recycle(context, pinned[k]);
    pinned[k] = pinned[pinned.length - 1];
    pinned.pop();
  }
}

function recycle(context: Context, slot: number): void {
  const { memory } = context;
  const address = slot << SLOT_LOG;
  let edge = memory.i32[address + S_PREREQUISITES];
  while (edge > 0) {
    memory.reach(edge);
    const older = memory.i32[edge + E_OLDER];
    context.edges.give(edge);
    edge = older;
  }
  memory.i32[address + S_UNMET] = 0;
  if (memory.i32[address + S_GENERATION] !== LAST_GENERATION) context.slots.give(address);
}
