/**
 * Control records: what `with` has set for a job, and how far the job has come, for those who may stop it.
 *
 * A job with such a record is not its executor's alone: the thread that has the handle may cancel it, and the main
 * thread may find that its time is over. C_STATE says who has it:
 *
 *     WAITING ── start ──> STARTED ── end ──> ENDED
 *        │                    └── time out ──> TIMED_OUT ── end ──> ENDED
 *        ├── skip ──> ENDED                       └── outcome taken over ──> TOLD
 *        └── cancel ──> CANCELLED ── taken from a queue ──> ENDED
 *                           └── outcome taken over ──> TOLD
 *
 * Invariants
 *  1. Every change is one compare-exchange from a value that was looked at before. The upper bits count starts, so that
 *     it never hits a later job of the slot.
 *  2. Exactly one thread finishes the job (closes its list, meets what follows, tells the owner): its executor after it
 *     has made it ENDED from WAITING, STARTED or CANCELLED; the main thread after it has made it TIMED_OUT; the owner
 *     after it has made it TOLD from CANCELLED.
 *  3. Only its executor makes it ENDED or tells the owner of a TOLD one, and does not touch the slot after that. The
 *     owner releases the slot when it takes the outcome over if it is ENDED by then; else it makes it TOLD, or has done
 *     so, and releases it when the executor tells it a second time.
 *  4. The list B_TIMED is written by its own thread only, plainly. The main thread may read an old list, or go astray into
 *     another one: what it does with a job that it finds is settled by C_STATE, and the other words are read after that.
 */
import {
  B_TIMED,
  C_DEADLINE,
  C_KILL,
  C_LIMIT,
  C_NAME,
  C_OUTER,
  C_REASON,
  C_RETRIES,
  C_STATE,
  C_THREAD,
  CLOCK_MASK,
  COUNT_MASK,
  controlOffsetOf,
  controlRegionOf,
  F_CONTROLLED,
  FUNCTION_BITS,
  H_TIMED,
  REGION_WORDS,
  S_FUNCTION,
  SLOT_LOG,
} from "../memory/layout.js";
import { type Context, MAIN } from "./context.js";
import { releaseSlot } from "./slots.js";

/** The states of a job, in the lower bits of C_STATE. */
export const WAITING = 0; // not started
export const CANCELLED = 1; // never starts
export const STARTED = 2; // in its function, or suspended
export const TIMED_OUT = 3; // its time was over before it had ended, and its executor still has it
export const TOLD = 4; // its owner has taken the outcome over, and somebody still has the slot
export const ENDED = 5; // nobody but its finisher and its owner has it
export const STATES = 7;
/** A flag of a job that has started: it was asked to stop. */
export const ABORTED = 8;
/** What the counter above them rises by. */
const START = 16;
/** Up to this, a word for a payload's address says that there is none (DETAILS_LOST in failures.ts is 1). */
const NO_PAYLOAD = 1;

/**
 * The address of a slot's control record, whose job has one; 0 where this thread does not yet know of it. Remakes the
 * views of the memory if need be, so that they are to be taken after this.
 */
export function controlOf(context: Context, slot: number): number {
  const { memory } = context;
  const region = memory.i32[memory.layout.controls + controlRegionOf(slot)];
  memory.reach(region + REGION_WORDS - 1);
  return region === 0 ? 0 : region + controlOffsetOf(slot);
}

/**
 * Gives a job a control record, if it has none yet. It is this thread's own, unscheduled, and known to nobody else.
 *
 * @returns its address, or 0 when there is no memory
 */
export function openControl(context: Context, slot: number): number {
  const { memory } = context;
  const header = (slot << SLOT_LOG) + S_FUNCTION;
  if (memory.i32[header] & F_CONTROLLED) return controlOf(context, slot);
  if (!addRecords(context, slot)) return 0;
  const control = controlOf(context, slot);
  const { i32 } = memory;
  i32[control + C_LIMIT] = 0;
  i32[control + C_NAME] = 0;
  i32[control + C_RETRIES] = 0;
  i32[control + C_KILL] = 0;
  i32[control + C_REASON] = 0;
  // Only the counter stays. The main thread may just look at the slot's earlier job: it finds that this is not STARTED.
  const before = Atomics.load(i32, control + C_STATE);
  Atomics.store(i32, control + C_STATE, (before & -START) | WAITING);
  i32[header] |= F_CONTROLLED;
  return control;
}

/** Makes sure that there are records for the slots of `slot`'s region. @returns false when there is no memory */
function addRecords(context: Context, slot: number): boolean {
  const { memory } = context;
  const entry = memory.layout.controls + controlRegionOf(slot);
  // Pairs with the compare-exchange below: the records are there.
  if (Atomics.load(memory.i32, entry) !== 0) return true;
  const region = memory.addRegions(1);
  if (region === 0) return false;
  // Races with other threads whose slots are in the same region: the first gives its records to all.
  Atomics.compareExchange(memory.i32, entry, 0, region);
  return true;
}

/** How far the job of a control record has come: a state, ABORTED, and the counter. */
export function stateOf(context: Context, control: number): number {
  // Pairs with the compare-exchanges below: what was written before them is seen.
  return Atomics.load(context.memory.i32, control + C_STATE);
}

/** Changes the state of a job in place of `before`. @returns false if somebody else was faster */
export function change(context: Context, control: number, before: number, state: number): boolean {
  // Settles who has the job (invariant 2), and publishes what was written for it.
  return Atomics.compareExchange(context.memory.i32, control + C_STATE, before, (before & ~STATES) | state) === before;
}

/** Whether a job that has started is to stop: it was cancelled, or its time is over. */
export function isAskedToStop(context: Context, slot: number): boolean {
  const state = stateOf(context, controlOf(context, slot));
  return (state & ABORTED) !== 0 || (state & STATES) !== STARTED;
}

/** Whether a job that has started was cancelled. */
export function wasAborted(context: Context, slot: number): boolean {
  return (stateOf(context, controlOf(context, slot)) & ABORTED) !== 0;
}

/** Limits how long a job may run. It is this thread's own and unscheduled. */
export function limit(context: Context, control: number, milliseconds: number): void {
  const { i32 } = context.memory;
  const before = i32[control + C_LIMIT];
  i32[control + C_LIMIT] = milliseconds;
  if (before !== 0) return;
  // The main thread looks at it after it has announced its sleep, and is woken by the first.
  if (Atomics.add(i32, H_TIMED, 1) === 0 && context.me !== MAIN) context.events.notify(MAIN, true);
}

/** How often a job may be run again. It is this thread's own and unscheduled, or being executed here. */
export function retriesOf(context: Context, slot: number): number {
  const control = controlOf(context, slot);
  return context.memory.i32[control + C_RETRIES];
}

export function noteRetries(context: Context, slot: number, retries: number): void {
  const control = controlOf(context, slot);
  context.memory.i32[control + C_RETRIES] = retries;
}

/** What a job was that a dead thread had in its hands: see recovery.ts. */
export const NOT_BEGUN = 0; // nothing was done with it
export const BEGUN = 1; // that thread was executing or finishing it; or, if it is TOLD, owes its owner the second notice
export const SETTLED_ELSEWHERE = 2; // others have finished it, and its owner has not taken that over yet

/** Takes a job with a control record over from a dead thread. To be called during a recovery. */
export function takeFromDead(context: Context, slot: number): number {
  const control = controlOf(context, slot);
  const { i32 } = context.memory;
  const before = i32[control + C_STATE];
  switch (before & STATES) {
    case WAITING:
    case CANCELLED:
      return NOT_BEGUN;
    case TIMED_OUT:
      i32[control + C_STATE] = (before & ~STATES) | ENDED;
      return SETTLED_ELSEWHERE;
    default:
      return BEGUN;
  }
}

/**
 * A cancelled job, of which its dead owner has made itself the finisher, is again left to who takes it from a queue. Its
 * arguments may have been freed, so nobody else is to do that. To be called during a recovery.
 */
export function unclaim(context: Context, slot: number): void {
  const control = controlOf(context, slot);
  const { i32 } = context.memory;
  i32[control + C_STATE] = (i32[control + C_STATE] & ~STATES) | CANCELLED;
  i32[(slot << SLOT_LOG) + S_FUNCTION] &= ~(COUNT_MASK << FUNCTION_BITS);
}

/**
 * A job that a dead thread was executing is to be run again, if it may be and was not asked to stop; which counts.
 *
 * @returns false if not: then it is over
 */
export function retry(context: Context, slot: number): boolean {
  const control = controlOf(context, slot);
  const { i32 } = context.memory;
  const before = stateOf(context, control);
  // Its owner may ask it to stop just now.
  if (i32[control + C_RETRIES] > 0 && (before & (START - 1)) === STARTED && change(context, control, before, WAITING)) {
    i32[control + C_RETRIES]--;
    return true;
  }
  change(context, control, stateOf(context, control), ENDED);
  return false;
}

/** Whether any live job has a time limit. */
export function anyLimited(context: Context): boolean {
  // Pairs with the addition in `limit`: the main thread has announced its sleep before.
  return Atomics.load(context.memory.i32, H_TIMED) > 0;
}

/** Cancels a job of this thread that has not started: it never will. @returns whether it is cancelled */
export function cancel(context: Context, slot: number): boolean {
  const control = controlOf(context, slot);
  const before = stateOf(context, control);
  if ((before & STATES) === WAITING) return change(context, control, before, CANCELLED);
  return (before & STATES) === CANCELLED;
}

/**
 * Asks a job of this thread to stop, if it has started and not ended, and notifies the thread that has it.
 *
 * @param storeReason stores why, and gives the payload, or at most NO_PAYLOAD where there was no room
 * @returns the job's state if it has `kill`, so that its worker ends with it; or 0
 */
export function askToStop(context: Context, slot: number, storeReason: () => number = noReason): number {
  const control = controlOf(context, slot);
  const before = stateOf(context, control);
  if ((before & STATES) !== STARTED) return 0;
  const reason = storeReason();
  const { i32 } = context.memory;
  if (i32[control + C_REASON] > NO_PAYLOAD) context.payloads.free(i32[control + C_REASON]);
  i32[control + C_REASON] = reason;
  // Settles with its end, and with the main thread that times it out: after either, there is nobody to ask. Publishes the reason.
  if (Atomics.compareExchange(i32, control + C_STATE, before, before | ABORTED) !== before) return 0;
  context.events.notify(i32[control + C_THREAD], true);
  return i32[control + C_KILL] === 0 ? 0 : before | ABORTED;
}

function noReason(): number {
  return 0;
}

/** The payload with the reason why a job was asked to stop; or at most NO_PAYLOAD. */
export function reasonFor(context: Context, slot: number): number {
  const control = controlOf(context, slot);
  return context.memory.i32[control + C_REASON];
}

/** A job that was taken from a queue starts here. @returns false if it was cancelled */
export function start(context: Context, slot: number): boolean {
  const control = controlOf(context, slot);
  const { i32 } = context.memory;
  const list = context.block + B_TIMED;
  const milliseconds = i32[control + C_LIMIT];
  i32[control + C_THREAD] = context.me;
  if (milliseconds > 0) {
    i32[control + C_DEADLINE] = (context.runner.now() + milliseconds) & CLOCK_MASK;
    i32[control + C_OUTER] = i32[list];
  }
  const before = stateOf(context, control);
  if ((before & STATES) !== WAITING) return false;
  // Settles with the owner who cancels it, and publishes when its time is over. The counter rises (invariant 1).
  if (Atomics.compareExchange(i32, control + C_STATE, before, ((before + START) & -START) | STARTED) !== before) {
    return false;
  }
  if (milliseconds > 0) i32[list] = slot;
  return true;
}

/** A job that was taken from a queue and is not to run ends. @returns false if it was cancelled */
export function skip(context: Context, slot: number): boolean {
  const control = controlOf(context, slot);
  const before = stateOf(context, control);
  return (before & STATES) === WAITING && change(context, control, before, ENDED);
}

/**
 * A job that has started here is over.
 *
 * @returns what it was: STARTED; or TIMED_OUT or TOLD, and then its outcome does not count any more
 */
export function end(context: Context, slot: number): number {
  const control = controlOf(context, slot);
  unlist(context, slot, control);
  for (;;) {
    const before = stateOf(context, control);
    const state = before & STATES;
    if (state === TOLD || change(context, control, before, ENDED)) return state;
  }
}

/** Takes a job out of its thread's list of those with a time limit that have started. */
function unlist(context: Context, slot: number, control: number): void {
  const { memory } = context;
  if (memory.i32[control + C_LIMIT] === 0) return;
  let link = memory.layout.blockOf(memory.i32[control + C_THREAD]) + B_TIMED;
  for (let job = memory.i32[link]; job !== slot; job = memory.i32[link]) {
    if (job === 0) return;
    link = controlOf(context, job) + C_OUTER;
  }
  memory.i32[link] = memory.i32[control + C_OUTER];
}

/** The owner has taken over the outcome of a job: releases its slot, unless somebody still has that. */
export function letGo(context: Context, slot: number): void {
  const control = controlOf(context, slot);
  const before = stateOf(context, control);
  const state = before & STATES;
  if (state === TOLD || (state === TIMED_OUT && change(context, control, before, TOLD))) return;
  release(context, slot);
}

/** Whether a job's outcome was taken over, and somebody still has its slot. */
export function isTold(context: Context, slot: number): boolean {
  if ((context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] & F_CONTROLLED) === 0) return false;
  return (stateOf(context, controlOf(context, slot)) & STATES) === TOLD;
}

/** Whether nobody but its owner has a finished job any more. */
export function hasEnded(context: Context, slot: number): boolean {
  return (stateOf(context, controlOf(context, slot)) & STATES) === ENDED;
}

/** Releases the slot of a job whose outcome was taken over before, if it is for that alone that the owner is told. */
export function releaseTold(context: Context, slot: number): boolean {
  if ((stateOf(context, controlOf(context, slot)) & STATES) !== TOLD) return false;
  release(context, slot);
  return true;
}

function release(context: Context, slot: number): void {
  const control = controlOf(context, slot);
  const { i32 } = context.memory;
  if (i32[control + C_NAME] !== 0) context.payloads.free(Math.abs(i32[control + C_NAME]));
  if (i32[control + C_REASON] > NO_PAYLOAD) context.payloads.free(i32[control + C_REASON]);
  // Races with threads that make such jobs; the main thread stops looking once there are none.
  if (i32[control + C_LIMIT] > 0) Atomics.sub(i32, H_TIMED, 1);
  releaseSlot(context, slot);
}
