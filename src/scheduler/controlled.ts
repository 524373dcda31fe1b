/** Executing jobs that may be cancelled or timed out, and finishing those that were: see control.ts. */
import {
  C_KILL,
  C_LIMIT,
  CANCELLING,
  H_STATE,
  S_FAILURE,
  S_PREREQUISITES,
  SEALED,
  SLOT_LOG,
} from "../memory/layout.js";
import { mayBegin, postpone } from "./asynchronous.js";
import { type Context, MAIN } from "./context.js";
import { CANCELLED, change, controlOf, ENDED, end, STARTED, STATES, skip, start, stateOf, TOLD } from "./control.js";
import { finish, finishForAnyone, finishWhole, runRanked, tellOwner } from "./finish.js";

/** As `execute`, for a job with a control record. */
export function executeControlled(context: Context, slot: number, header: number): number {
  const { runner } = context;
  const { i32 } = context.memory;
  const address = slot << SLOT_LOG;
  // A plain read: whoever sees a forced shutdown late runs one job more.
  const refused = i32[H_STATE] >= CANCELLING;
  if (refused || i32[address + S_FAILURE] !== 0) {
    if (!skip(context, slot)) return takeCancelled(context, slot);
    runner.drop(slot);
    if (refused) runner.cancel(slot);
    return finishWhole(context, slot);
  }
  if (!mayStartHere(context, slot, header)) {
    postpone(context, slot, header);
    return 0;
  }
  if (!start(context, slot)) return takeCancelled(context, slot);
  if (runRanked(context, slot, header)) return 0;
  return context.memory.i32[address + S_FAILURE] === 0 ? finish(context, slot) : finishWhole(context, slot);
}

/** Whether a job may start on this thread now: the main one, which watches the time and ends workers, starts none that it may have to end. */
function mayStartHere(context: Context, slot: number, header: number): boolean {
  if (context.me === MAIN && !context.alone) {
    const control = controlOf(context, slot);
    if (context.memory.i32[control + C_LIMIT] > 0 || context.memory.i32[control + C_KILL] !== 0) return false;
  }
  return mayBegin(context, slot, header);
}

/** A cancelled job was taken from a queue: nothing else of it is under way. */
function takeCancelled(context: Context, slot: number): number {
  if (claim(context, slot, ENDED)) {
    drop(context, slot);
    return finishWhole(context, slot);
  }
  tellOwner(context, slot);
  return 0;
}

/** Takes a cancelled job that nobody has finished. @returns false if there is none: it has started, or another was faster */
function claim(context: Context, slot: number, state: number): boolean {
  const control = controlOf(context, slot);
  const before = stateOf(context, control);
  return (before & STATES) === CANCELLED && change(context, control, before, state);
}

function drop(context: Context, slot: number): void {
  context.runner.drop(slot);
  context.runner.abort(slot);
}

/**
 * Makes this thread, which has the handle, the finisher of a cancelled job if it is scheduled.
 *
 * @returns whether it is to be finished with `finishClaimed`
 */
export function claimCancelled(context: Context, slot: number): boolean {
  const prerequisites = (slot << SLOT_LOG) + S_PREREQUISITES;
  // With `pinning`, another thread may schedule it: then it finds that it is cancelled when it takes it.
  return (Atomics.load(context.memory.i32, prerequisites) & SEALED) !== 0 && claim(context, slot, TOLD);
}

/**
 * Finishes a job that `claimCancelled` has given to this thread, although what it depends on may still run. Its slot stays
 * until that has finished and an executor takes it from a queue.
 */
export function finishClaimed(context: Context, slot: number): void {
  drop(context, slot);
  finishForAnyone(context, slot);
}

/** Finishes a cancelled job of this thread if it is scheduled. */
export function finishCancelled(context: Context, slot: number): void {
  if (claimCancelled(context, slot)) finishClaimed(context, slot);
}

/**
 * A job that has started here is over: its function has returned or thrown, or its promise has settled.
 *
 * @returns whether its outcome counts; if not, its time was over before, and the slot is not to be touched any more
 */
export function endsInTime(context: Context, slot: number): boolean {
  const before = end(context, slot);
  if (before === TOLD) tellOwner(context, slot);
  return before === STARTED;
}
