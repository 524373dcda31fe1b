/** The part of a recovery that is about groups (5 in recovery.ts): how many of their jobs have finished is counted anew. */
import {
  B_COUNTED,
  B_GROUP,
  B_GROUPS,
  F_GROUP,
  G_COUNT,
  G_DONE,
  G_NEXT,
  G_OWNER,
  S_OWNER,
  SLOT_LOG,
} from "../memory/layout.js";
import { type Context, MAIN } from "./context.js";
import { COUNT, discardGroup } from "./group.js";
import { forEachJob } from "./slots.js";

/**
 * Counts anew, and takes groups of `dead` threads over.
 *
 * @param others the workers that live
 */
export function repairGroups(context: Context, dead: ReadonlySet<number>, others: readonly number[]): void {
  const { i32 } = context.memory;
  const unfinished = unfinishedJobs(context, others);
  const living = groupsOf(context, (thread) => !dead.has(thread));
  for (const group of [...context.orphanGroups, ...living]) {
    i32[group + G_DONE] = (i32[group + G_COUNT] - (unfinished.get(group) ?? 0)) & COUNT;
  }
  const orphaned = groupsOf(context, (thread) => dead.has(thread));
  for (const group of orphaned) {
    // Nobody waits for it, nor adds to it, any more.
    i32[group + G_OWNER] = MAIN;
    i32[group + G_COUNT] = unfinished.get(group) ?? 0;
    i32[group + G_DONE] = 0;
  }
  context.orphanGroups = [...context.orphanGroups, ...orphaned].filter((group) => {
    if (i32[group + G_DONE] !== i32[group + G_COUNT]) return true;
    discardGroup(context, group);
    return false;
  });
}

/** For each group, how many jobs are in a slot, or have finished and are counted apart by a thread that lives. */
function unfinishedJobs(context: Context, others: readonly number[]): ReadonlyMap<number, number> {
  const { i32, layout } = context.memory;
  const unfinished = new Map<number, number>();
  const add = (group: number, count: number) => unfinished.set(group, (unfinished.get(group) ?? 0) + count);
  forEachJob(context, (slot, header) => {
    if (header & F_GROUP) add(i32[(slot << SLOT_LOG) + S_OWNER], 1);
  });
  for (const thread of [MAIN, ...others]) {
    const block = layout.blockOf(thread);
    add(i32[block + B_GROUP], i32[block + B_COUNTED]);
  }
  return unfinished;
}

function groupsOf({ memory, threads }: Context, belongs: (thread: number) => boolean): number[] {
  const { i32, layout } = memory;
  const groups: number[] = [];
  for (let thread = 0; thread < threads; thread++) {
    if (!belongs(thread)) continue;
    let group = i32[layout.blockOf(thread) + B_GROUPS];
    for (; group !== 0; group = i32[group + G_NEXT]) groups.push(group);
  }
  return groups;
}
