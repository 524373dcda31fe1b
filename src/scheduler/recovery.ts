/**
 * Recovery: after workers have died, the main thread puts right what they had in hand, so that every job still
 * settles once. A thread may die at any point, also half-way through any step of the scheduler.
 *
 * All other threads are paused first (pause.ts). Then nothing but the dead thread's last step is half done, nobody changes
 * anything, and what must be true can be worked out afresh:
 *
 *  1. A slot holds a job exactly if its S_FUNCTION is not 0.
 *  2. What still precedes a job are the edges to it in the lists of continuations that are not closed. So S_UNMET is
 *     counted anew, and an edge in no such list is met; what a finisher had to pass on is passed on again.
 *  3. A scheduled job with nothing before it is in one queue, or in the hands of the thread that S_UNMET names. What is
 *     in no queue and in nobody's hands was on its way on the dead thread: it has not begun, and is made ready.
 *  4. What is in the dead thread's hands and not finished was being executed: it fails, or is run again if it may be.
 *  5. Of a group's jobs, those have finished that are neither in a slot nor counted apart by a thread that lives.
 *  6. Handles of the dead thread are gone: what its jobs result in is given up when they have finished.
 */
import {
  ASLEEP,
  B_ACTIVITY,
  B_COUNTED,
  B_CROSSED,
  B_EXIT,
  B_FINISHED,
  B_GROUP,
  B_GROUPS,
  B_HELD_BACK,
  B_PHASE,
  B_PINNING,
  B_RAN,
  B_SUSPENDED,
  B_TIMED,
  BUSY,
  H_REGIONS_END,
  INSIDE,
  OUTSIDE,
} from "../memory/layout.js";
import { conclude, type Findings } from "./conclude.js";
import { type Context, MAIN } from "./context.js";
import { pause, resume } from "./pause.js";
import { repairGroups } from "./repair-groups.js";
import { JobRepair } from "./repair-jobs.js";

/**
 * Puts right what threads that have died had in hand. To be called on the main thread, where it has nothing in hand itself.
 *
 * @param dead the threads that have died since the last recovery
 * @param others the workers that live
 * @param paused called while the others are paused
 * @returns those of the dead threads that were executing a job; or undefined if one of the others did not stop soon: then
 * nothing was done, and it is to be tried again
 */
export function recover(
  context: Context,
  dead: readonly number[],
  others: readonly number[],
  paused: () => void,
): ReadonlySet<number> | undefined {
  if (!pause(context, others)) return undefined;
  if (pinsInTheWay(context, dead, others)) {
    resume(context);
    return undefined;
  }
  const findings = repair(context, new Set(dead), others);
  paused();
  resume(context);
  conclude(context, findings);
  return new Set(findings.crashed.map(({ thread }) => thread));
}

/** Whether pins of dead threads cannot be told from those of another, which is about to take them back. */
function pinsInTheWay(context: Context, dead: readonly number[], others: readonly number[]): boolean {
  const pinned = (thread: number) => hasPins(context, thread);
  return dead.some(pinned) && (pinned(MAIN) || others.some(pinned));
}

function hasPins({ memory }: Context, thread: number): boolean {
  return memory.i32[memory.layout.blockOf(thread) + B_PINNING] !== 0;
}

/** What is done while the others are paused. @returns what is left to do then */
function repair(context: Context, dead: ReadonlySet<number>, others: readonly number[]): Findings {
  const { memory } = context;
  memory.reach(memory.i32[H_REGIONS_END] - 1);
  let pinned = false;
  for (const thread of dead) {
    repairStructures(context, thread, others);
    pinned ||= hasPins(context, thread);
    // We release slots for it, which others may look at.
    if (memory.i32[memory.layout.blockOf(thread) + B_CROSSED] !== 0) context.notePinning();
  }
  const findings = new JobRepair(context, dead, pinned).repair();
  repairGroups(context, dead, others);
  for (const thread of dead) clearBlock(context, thread);
  return findings;
}

/** Completes what a dead thread was doing to queues, pools and the event count. */
function repairStructures(context: Context, dead: number, others: readonly number[]): void {
  const { memory, slots, edges, payloads, highFirst, events } = context;
  const { i32, layout } = memory;
  if (i32[layout.blockOf(dead) + B_PHASE] === INSIDE) {
    slots.repair();
    edges.repair();
    payloads.repair();
  }
  for (const { deques } of highFirst) deques[dead].repair();
  const asleep = (thread: number) => {
    const phase = i32[layout.blockOf(thread) + B_PHASE];
    return others.includes(thread) && phase === ASLEEP;
  };
  events.repair(dead, asleep);
}

/** As a new thread finds it; but busy, so that nobody takes the place to be empty. */
function clearBlock(context: Context, dead: number): void {
  const { i32, layout } = context.memory;
  const block = layout.blockOf(dead);
  const words = [B_FINISHED, B_SUSPENDED, B_TIMED, B_HELD_BACK, B_GROUP, B_COUNTED, B_GROUPS, B_PINNING, B_EXIT, B_RAN];
  for (const word of words) i32[block + word] = 0;
  i32[block + B_PHASE] = OUTSIDE;
  i32[block + B_ACTIVITY] = BUSY;
}
