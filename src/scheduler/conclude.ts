/** The end of a recovery: what is left to do when the others go on. */
import {
  F_CONTROLLED,
  F_GROUP,
  F_OBSERVER,
  G_FAILURE,
  S_FAILURE,
  S_FUNCTION,
  S_OWNER,
  S_UNMET,
  SLOT_LOG,
} from "../memory/layout.js";
import type { Context } from "./context.js";
import { retry } from "./control.js";
import { finishForAnyone, tellOwner } from "./finish.js";
import { countGroupJob, flushGroup } from "./group.js";
import { MOST_RANK } from "./rank.js";
import { appendReady, publishReady, submitAll } from "./ready.js";
import { releaseGroupSlot } from "./slots.js";

/** What a repair has found. */
export interface Findings {
  /** Jobs that are ready and in no queue. */
  readonly ready: readonly number[];
  /** Jobs that a dead thread was executing. */
  readonly crashed: readonly { readonly slot: number; readonly thread: number }[];
  /** Finished jobs whose owners were not told. */
  readonly untold: readonly number[];
  /** Finished jobs of dead threads. */
  readonly orphans: readonly number[];
}

/** Does what is left to do. To be called when the others go on. */
export function conclude(context: Context, { ready, crashed, untold, orphans }: Findings): void {
  const { runner, events, rank } = context;
  // Who waits for them is not known: any wait may take them.
  context.rank = MOST_RANK;
  for (const slot of ready) appendReady(context, slot);
  for (const { slot, thread } of crashed) concludeCrashed(context, slot, thread);
  flushGroup(context);
  for (const slot of untold) tellOwner(context, slot);
  for (const slot of orphans) runner.deliver(slot);
  publishReady(context);
  context.rank = rank;
  submitAll(context);
  // Wakes that were meant for a dead thread: let all look again.
  for (let thread = 0; thread < context.threads; thread++) events.notify(thread, true);
}

/** A job that a dead thread was executing is run again, if it may be; else it is finished, and has failed if it ran a function. */
function concludeCrashed(context: Context, slot: number, thread: number): void {
  const { memory, runner } = context;
  const address = slot << SLOT_LOG;
  const header = memory.i32[address + S_FUNCTION];
  if (!(header & F_OBSERVER) && memory.i32[address + S_FAILURE] === 0) {
    if (header & F_CONTROLLED && retry(context, slot)) {
      memory.i32[address + S_UNMET] = 0;
      appendReady(context, slot);
      return;
    }
    runner.crash(slot, thread);
  }
  if (header & F_GROUP) {
    const group = memory.i32[address + S_OWNER];
    const failure = memory.i32[address + S_FAILURE];
    // The dead thread may have got as far as giving its failure to the group.
    countGroupJob(context, group, memory.i32[group + G_FAILURE] === failure ? 0 : failure);
    releaseGroupSlot(context, slot);
  } else {
    finishForAnyone(context, slot);
  }
}
