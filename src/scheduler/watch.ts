/**
 * Time limits. The main thread looks every WATCH_EVERY milliseconds, as long as there are jobs with a limit, through
 * those that each worker has started. It finishes those whose time is over, although their functions still run; likewise those
 * with `kill` whose signals were aborted.
 */
import {
  B_TIMED,
  C_DEADLINE,
  C_KILL,
  C_LIMIT,
  C_OUTER,
  C_THREAD,
  CLOCK_MASK,
  H_TIMED,
  LONGEST_LIMIT,
  SLOT_LOG,
} from "../memory/layout.js";
import { type Context, MAIN } from "./context.js";
import { change, controlOf, STARTED, STATES, stateOf, TIMED_OUT } from "./control.js";
import { finishForAnyone } from "./finish.js";
import { finishFromOutside } from "./main-loop.js";
import { submitAll } from "./ready.js";

/** How often the main thread looks, in milliseconds. */
export const WATCH_EVERY = 10;
/** A look through a list that changes meanwhile may go astray: it ends after so many jobs. */
const MOST_STEPS = 100_000;

/** Looks for jobs whose time is over, on the main thread, if the last look is some time ago. */
export function watch(context: Context): void {
  // A plain read: who sees an old value looks another time.
  if (context.me !== MAIN || context.memory.i32[H_TIMED] === 0) return;
  const now = context.runner.now();
  if (((now - context.watched) & CLOCK_MASK) >= WATCH_EVERY) look(context, now);
}

/** Looks for jobs whose time is over. */
export function watchNow(context: Context): void {
  look(context, context.runner.now());
}

function look(context: Context, now: number): void {
  const { memory, threads } = context;
  context.watched = now;
  for (let thread = context.alone ? MAIN : MAIN + 1; thread < threads; thread++) {
    // Plain reads, here and of what follows: see invariant 4 in control.ts.
    let slot = memory.i32[memory.layout.blockOf(thread) + B_TIMED];
    for (let steps = 0; slot !== 0 && steps < MOST_STEPS; steps++) {
      memory.reach(slot << SLOT_LOG);
      const control = controlOf(context, slot);
      if (control === 0) break;
      const following = memory.i32[control + C_OUTER];
      const state = stateOf(context, control);
      if (isLate(context, control, state, now))
        finishFromOutside(context, () => timeOut(context, slot, control, state));
      slot = following;
    }
  }
  // Nobody else would while this thread waits synchronously.
  submitAll(context);
}

/** Whether a job in this state runs although its time is over. */
function isLate(context: Context, control: number, state: number, now: number): boolean {
  if ((state & STATES) !== STARTED) return false;
  const late = (now - context.memory.i32[control + C_DEADLINE]) & CLOCK_MASK;
  return late !== 0 && late < LONGEST_LIMIT;
}

/** Finishes a job whose time is over, if it is still in the state in which it was found. */
function timeOut(context: Context, slot: number, control: number, before: number): void {
  const milliseconds = context.memory.i32[control + C_LIMIT];
  giveUpJob(context, slot, before, milliseconds, () => context.runner.timeOut(slot, milliseconds));
}

/**
 * On the main thread: finishes a job that was aborted, and ends its worker, unless it has ended by itself.
 *
 * @param before its state, as `askToStop` has given it
 * @param fail leaves the failure in its slot
 */
export function endAborted(context: Context, slot: number, before: number, fail: () => void): void {
  context.memory.reach(slot << SLOT_LOG);
  if (controlOf(context, slot) === 0) return;
  finishFromOutside(context, () => giveUpJob(context, slot, before, 0, fail));
  // Nobody else would while this thread waits synchronously.
  submitAll(context);
}

/** Finishes a job although its function still runs. @param milliseconds its limit, which is over; or 0 */
function giveUpJob(context: Context, slot: number, before: number, milliseconds: number, fail: () => void): void {
  const control = controlOf(context, slot);
  const { i32 } = context.memory;
  const kill = i32[control + C_KILL] !== 0;
  const thread = i32[control + C_THREAD];
  // Settles with its end; if the slot has another job by now, the counter differs.
  if (!change(context, control, before, TIMED_OUT)) return;
  // Its function is to know of it, if it asks.
  context.events.notify(thread, true);
  fail();
  if (kill) context.onOverdue(thread, slot, milliseconds);
  finishForAnyone(context, slot);
}
