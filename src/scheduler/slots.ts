/** Taking and releasing job slots. */
import {
  ASIDE,
  CLOSING,
  E_OLDER,
  EDGE_LOG,
  EDGE_MASK,
  H_REGIONS_END,
  OWN_EDGE,
  REGION_WORDS,
  S_COLD,
  S_CONTINUATIONS,
  S_FAILURE,
  S_FUNCTION,
  S_GENERATION,
  S_OWNER,
  S_PINS,
  S_PREREQUISITES,
  S_UNMET,
  SLOT_LOG,
  SLOT_WORDS,
} from "../memory/layout.js";
import type { Context } from "./context.js";

/** The last generation; a slot that reaches it is retired, so that no old handle can match again. */
const LAST_GENERATION = 0x7fffffff;

/**
 * Takes a slot for a job with a handle on this thread.
 *
 * @param header S_FUNCTION, or 0 if it is written when the job is whole
 * @param prerequisites 0, or SEALED for a job that is scheduled at once
 * @param continuations 0, or AWAITED for a job whose owner is to be told when it has finished
 * @returns 0 when the arena is full
 */
export function takeSlot(context: Context, header: number, prerequisites: number, continuations: number): number {
  if (context.slots.empty) context.outstanding.sweepSome(context);
  const address = context.slots.take();
  if (address === 0) return 0;
  const { i32 } = context.memory;
  i32[address + S_UNMET] = 0;
  i32[address + S_CONTINUATIONS] = continuations;
  i32[address + S_OWNER] = context.me;
  i32[address + S_FAILURE] = 0;
  i32[address + S_PREREQUISITES] = prerequisites;
  // Last, as the slot counts as a job's once this is not 0; until it is released.
  i32[address + S_FUNCTION] = header;
  return address >>> SLOT_LOG;
}

/** Takes a slot for a job of a group: nothing is ever linked to it. Write S_FUNCTION last. @returns 0 when the arena is full */
export function takeGroupSlot(context: Context, group: number): number {
  if (context.slots.empty) context.outstanding.sweepSome(context);
  const address = context.slots.take();
  if (address === 0) return 0;
  const { i32 } = context.memory;
  i32[address + S_UNMET] = 0;
  i32[address + S_OWNER] = group;
  i32[address + S_FAILURE] = 0;
  return address >>> SLOT_LOG;
}

/** Gives back the slot of a finished job of a group. */
export function releaseGroupSlot(context: Context, slot: number): void {
  const address = slot << SLOT_LOG;
  context.memory.i32[address + S_FUNCTION] = 0;
  context.slots.give(address);
}

/** Whether a job that runs on this thread concerns no other: its handle is here, and nothing comes after it so far. */
export function isPrivate(context: Context, slot: number): boolean {
  if (context.pinning) return false;
  const { i32 } = context.memory;
  const address = slot << SLOT_LOG;
  // As no handles have crossed threads, only this thread writes to these words before the job has finished.
  return i32[address + S_OWNER] === context.me && i32[address + S_CONTINUATIONS] === 0;
}

/**
 * Makes all handles of a job on other threads stale.
 *
 * @returns false if another thread is looking at the slot through one of them just now
 */
export function retire(context: Context, slot: number): boolean {
  const { i32 } = context.memory;
  const address = slot << SLOT_LOG;
  if (!context.pinning) {
    i32[address + S_GENERATION]++;
    return true;
  }
  // Whoever pins the slot after this finds its handle stale; who pinned it before is seen by `unpinned`.
  Atomics.add(i32, address + S_GENERATION, 1);
  return unpinned(context, slot);
}

/** Leaves a retired slot that another thread looks at for later: nobody is to take it for one just finished. */
export function leaveUndelivered(context: Context, slot: number): void {
  // Linkers on other threads find the list closed, as before; this thread no longer finds the job to be delivered.
  Atomics.store(context.memory.i32, (slot << SLOT_LOG) + S_CONTINUATIONS, CLOSING);
  context.undelivered.push(slot);
}

/** Notes that this thread has a finished job in hand, and nobody else: it is not yet to be released. */
export function keepSlot(context: Context, slot: number): void {
  // A recovery leaves it alone; if this thread dies, it gives the slot up.
  context.memory.i32[(slot << SLOT_LOG) + S_UNMET] = ASIDE | context.me;
}

/** Whether no other thread looks at a retired slot. */
export function unpinned(context: Context, slot: number): boolean {
  // A read-modify-write, so that a later pin synchronises with it and sees all that was done to the job.
  return Atomics.add(context.memory.i32, (slot << SLOT_LOG) + S_PINS, 0) === 0;
}

/** Gives back a retired slot. */
export function releaseSlot(context: Context, slot: number): void {
  const { memory } = context;
  const address = slot << SLOT_LOG;
  memory.i32[address + S_FUNCTION] = 0;
  let edge = memory.i32[address + S_PREREQUISITES] & EDGE_MASK;
  while (edge !== 0 && (edge & OWN_EDGE) === 0) {
    const words = edge << EDGE_LOG;
    memory.reach(words);
    edge = memory.i32[words + E_OLDER];
    context.edges.give(words);
  }
  if (memory.i32[address + S_GENERATION] !== LAST_GENERATION) context.slots.give(address);
}

/** Calls `use` for each job that has a slot. To be called while nobody else changes any: see recovery.ts. */
export function forEachJob({ memory }: Context, use: (slot: number, header: number) => void): void {
  const { i32, layout } = memory;
  const regions = i32[H_REGIONS_END] / REGION_WORDS;
  for (let region = 0; region < regions; region++) {
    if (i32[layout.slotRegions + region] === 0) continue;
    const start = region * REGION_WORDS;
    for (let address = start; address < start + S_COLD; address += SLOT_WORDS) {
      const header = i32[address + S_FUNCTION];
      if (header !== 0) use(address >>> SLOT_LOG, header);
    }
  }
}
