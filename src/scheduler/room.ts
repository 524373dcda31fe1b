/** A full arena: a thread that is in a job executes others until there is room. */

import { B_ACTIVITY, STUCK } from "../memory/layout.js";
import { elapsed } from "../platform/host.js";
import { delay } from "../sync/delay.js";
import { restorePostponed } from "./asynchronous.js";
import { AT_REST, BUSY, type Context, IDLE, MAIN } from "./context.js";
import { drainFinished, executeAll } from "./finish.js";
import { findForeign, findHere, mayTakeForeign, nest, nothingForeign, tooDeep, unnest } from "./nesting.js";
import { nothingReady } from "./ready.js";
import { holdNothingBack } from "./wait.js";

/** How long to leave the machine to the others before looking again, in milliseconds. */
const PAUSE = 0.5;
/** For how long foreign jobs, which may be what fills the arena, are left to others that are at work, in milliseconds. */
const PATIENCE = 20;

/** Frees what this thread itself holds on to: finished jobs whose outcomes it has not taken over. */
export function reclaim(context: Context): void {
  drainFinished(context);
  context.outstanding.sweep(context);
}

/**
 * Executes a job, or lets other threads finish theirs, so that there may be room now.
 *
 * Sleeping here is bounded by what other threads are doing: as soon as none of them is at work
 * (all idle, or stuck here too) and nothing is ready, waiting is in vain and it says so.
 *
 * @param since when there was no room at first, by `elapsed()`
 * @returns false when no thread can make room: every live job waits for something else
 */
export function makeRoom(context: Context, since: number): boolean {
  holdNothingBack(context);
  if (!tooDeep(context)) {
    if (executeOne(context, elapsed() - since > PATIENCE)) {
      drainFinished(context);
      // An asynchronous job that cannot be started here makes no room; others may take it.
      if (!restorePostponed(context)) return true;
    }
  }
  context.setActivity(STUCK);
  // First at the queues, then at the others: a thread that has just taken the last job has said before that it is busy.
  const here = !tooDeep(context) && !nothingForeign(context);
  const left = leftToWorker(context);
  const busy = context.othersBusy || left;
  const worthwhile = busy || here;
  if (worthwhile) {
    context.leave();
    delay(PAUSE);
    context.enter();
    context.watch();
  }
  context.setActivity(BUSY);
  reclaim(context);
  return worthwhile;
}

/** Executes a job inside the one that runs here; also a foreign one, if others do not go on. @returns whether there was any that may be executed there */
function executeOne(context: Context, impatient: boolean): boolean {
  const outer = nest(context);
  try {
    let job = findHere(context);
    // What fills the arena may be foreign.
    if (job === 0 && (impatient || mayTakeForeign(context))) job = findForeign(context);
    if (job === 0) return false;
    executeAll(context, job);
    return true;
  } finally {
    unnest(context, outer);
  }
}

/** threads: 1 – whether the worker, which sleeps, is about to wake for jobs that the main thread may not execute. */
function leftToWorker(context: Context): boolean {
  const { memory, me, fifo } = context;
  if (!fifo || me !== MAIN || nothingReady(context)) return false;
  // Pairs with setActivity.
  const activity = Atomics.load(memory.i32, memory.layout.blockOf(MAIN + 1) + B_ACTIVITY);
  return activity === AT_REST || activity === IDLE;
}
