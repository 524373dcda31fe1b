/**
 * Asynchronous jobs: those whose function gives a promise. Such a job is suspended until the promise settles, and
 * its worker executes other jobs meanwhile; a thread has at most `concurrency` of them. It starts more, one by one,
 * only when it has nothing else to do and asynchronous code on it awaits jobs: else those that are suspended could
 * wait for those that are not started for ever.
 *
 * A promise settles in its thread's event loop, which stands still while a job of the thread waits synchronously. So
 * a waiting thread starts no asynchronous job: it sets it aside and, before it sleeps, puts it back for others to
 * take. Where that leaves nobody who could go on, the wait ends with an error in place of never (`nobodyCanGoOn`).
 */
import {
  ASIDE,
  AT_REST,
  B_ACTIVITY,
  B_SUSPENDED,
  BUSY,
  CANCELLING,
  F_ASYNC,
  F_MAIN,
  IDLE,
  S_UNMET,
  SLOT_LOG,
  STOPPED,
} from "../memory/layout.js";
import { receivesAtOnce } from "../platform/host.js";
import { type Context, MAIN } from "./context.js";
import { letGoOfMainJobs, mainJobsReady } from "./main-jobs.js";
import { itemFor, rankOf, slotOf } from "./rank.js";
import { appendReady, nothingReady, publishReady } from "./ready.js";

/** Whether this thread can begin a job now: not an asynchronous one in every place, nor one whose arguments are not here. */
export function mayBegin(context: Context, slot: number, header: number): boolean {
  if (!receivesAtOnce && !context.runner.hasArguments(slot, header)) {
    context.lacking = true;
    return false;
  }
  return (header & F_ASYNC) === 0 || mayStart(context);
}

/** Whether this thread can start an asynchronous job now. */
function mayStart(context: Context): boolean {
  if (context.depth > 0) return false;
  const may = context.suspended < context.concurrency || context.overdraw;
  context.overdraw = false;
  return may;
}

/** The job that was set aside first, to be started beyond the limit; or 0. */
export function overdraw(context: Context): number {
  const item = context.postponed.shift() ?? 0;
  context.overdraw = item !== 0;
  context.rank = rankOf(item);
  return slotOf(item);
}

/** Sets a ready job aside, whose rank is that of the context, which this thread cannot start now: for others, or if it is of the main thread, for later. */
export function postpone(context: Context, slot: number, header: number): void {
  context.memory.i32[(slot << SLOT_LOG) + S_UNMET] = ASIDE | context.me;
  (context.alone || header & F_MAIN ? context.postponedHere : context.postponed).push(itemFor(context, slot));
}

/** After a turn of the event loop: jobs whose arguments were not here may have them now. */
export function restoreLacking(context: Context): void {
  if (!context.lacking) return;
  context.lacking = false;
  restorePostponed(context);
}

/** Makes the jobs that were set aside ready again. @returns whether there were any */
export function restorePostponed(context: Context): boolean {
  const { postponed } = context;
  if (postponed.length === 0) return false;
  const { rank } = context;
  for (const item of postponed) {
    const slot = slotOf(item);
    context.memory.i32[(slot << SLOT_LOG) + S_UNMET] = 0;
    context.rank = rankOf(item);
    appendReady(context, slot);
  }
  context.rank = rank;
  postponed.length = 0;
  publishReady(context);
  return true;
}

/** Counts a job of this thread as suspended. */
export function suspend(context: Context): void {
  context.suspended++;
  // Before the job can finish: who sees 0 here and then nothing ready may stop the system (worker-loop.ts).
  Atomics.store(context.memory.i32, context.block + B_SUSPENDED, context.suspended);
}

/** Counts a suspended job as finished, after what follows it was made ready; wakes this thread's own loop. */
export function unsuspend(context: Context): void {
  context.suspended--;
  restorePostponed(context);
  // After what follows was published, see `suspend`.
  Atomics.store(context.memory.i32, context.block + B_SUSPENDED, context.suspended);
  if (context.me === MAIN) letGoOfMainJobs(context);
  context.events.notify(context.me);
}

/** Whether a job is suspended on any thread. */
export function anySuspended(context: Context): boolean {
  for (let thread = 0; thread < context.threads; thread++) if (suspendedOn(context, thread) > 0) return true;
  return false;
}

/** How many jobs are suspended on a thread. */
export function suspendedOn({ memory }: Context, thread: number): number {
  // Pairs with the stores in `suspend` and `unsuspend`.
  return Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_SUSPENDED);
}

/**
 * Whether suspended jobs are not waited for any more: the system is shut down by force, or the workers have agreed to stop.
 */
export function abandonsSuspended({ state }: Context): boolean {
  return state === CANCELLING || state === STOPPED;
}

/**
 * Whether no thread can go on, as far as one look can tell: each waits synchronously, or has nothing to do; no event
 * loop that turns has a suspended job that counts; and nothing is ready that somebody idle, or the main thread, could take.
 */
export function nobodyCanGoOn(context: Context): boolean {
  const { memory, threads } = context;
  // The main thread, wherever it is, takes those that are there.
  if (mainJobsReady(context)) return false;
  const abandoned = abandonsSuspended(context);
  let idle = false;
  for (let thread = 0; thread < threads; thread++) {
    // Pairs with setActivity; a thread that is on its way elsewhere is seen at the next look.
    const activity = Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_ACTIVITY);
    if (activity === BUSY) return false;
    if (activity !== IDLE && activity !== AT_REST) continue;
    if (!abandoned && suspendedOn(context, thread) > 0) return false;
    if (thread !== MAIN) idle = true;
  }
  return !idle || nothingReady(context);
}

/** Waits that only asynchronous jobs can end look around this often, in milliseconds. */
export const LOOK_EVERY = 20;

/** Whether this thread waits synchronously while asynchronous jobs, which it holds up, are to be gone on with. */
export function isBlocked(context: Context, postponedSome: boolean): boolean {
  return postponedSome || context.suspended > 0 || context.postponedHere.length > 0;
}
