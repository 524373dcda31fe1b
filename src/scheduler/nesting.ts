/**
 * Jobs inside jobs: a job that waits, or that makes room, stays on its thread's stack while the thread executes others.
 * How deep that may go, and what may be executed there.
 */
import { B_ACTIVITY, BLOCKED, CANCELLING } from "../memory/layout.js";
import { DEEPEST } from "../platform/host.js";
import { abandonsSuspended, suspendedOn } from "./asynchronous.js";
import { AT_REST, BUSY, type Context, IDLE, MAIN } from "./context.js";
import { mainJobsReady, takeMainJob } from "./main-jobs.js";
import { leastItem } from "./rank.js";
import { findReady, nothingReady, nothingToTake } from "./ready.js";

/**
 * How deep the main thread executes others' jobs inside jobs: half as deep as it may be, on Node some 300 KiB of its stack. Its own,
 * which nobody else runs, as deep again.
 */
const MAIN_DEPTH = DEEPEST.main / 2;

/** What is executed here from now on is inside the job that runs here, if one does. @returns what `unnest` is to be given */
export function nest(context: Context): number {
  const { running } = context;
  context.depth++;
  if (running !== 0) context.waiting.push(running);
  context.floors.push(context.floor);
  context.floor = context.rank;
  return running;
}

/** The job that ran here before `nest`, or 0, goes on. */
export function unnest(context: Context, outer: number): void {
  context.depth--;
  if (outer !== 0) context.waiting.pop();
  context.running = outer;
  context.rank = context.floor;
  context.floor = context.floors.pop() ?? 0;
}

/** Whether jobs wait inside jobs so deep on this thread that none can be executed any more. */
export function tooDeep({ me, depth }: Context): boolean {
  return depth >= (me === MAIN ? DEEPEST.main : DEEPEST.worker);
}

/** Finds a job that this thread can execute inside another, or while it waits: none that is foreign there. @returns its slot, or 0 */
export function findHere(context: Context): number {
  const own = context.me === MAIN ? takeMainJob(context) : 0;
  if (own !== 0) return own;
  return mayTake(context) ? findReady(context) : 0;
}

/**
 * As `findHere`, also foreign jobs. Such a job is executed as if it had been made inside the wait: what follows it is not foreign here
 * either, and waits in it take only what is made in them.
 */
export function findForeign(context: Context): number {
  const { floor } = context;
  context.floor = 0;
  const slot = findHere(context);
  context.floor = floor;
  if (slot !== 0 && context.rank < floor) context.rank = floor;
  return slot;
}

/** Whether `findHere` seems to find nothing. */
export function nothingHere(context: Context): boolean {
  return !ownHere(context) && (!mayTake(context) || nothingToTake(context));
}

/** Whether `findForeign` seems to find nothing. */
export function nothingForeign(context: Context): boolean {
  return !ownReady(context) && (!mayTake(context) || nothingReady(context));
}

/** Whether this is the main thread and there are jobs of its own to execute while it waits: none that is foreign, as far as it knows. */
export function ownHere(context: Context): boolean {
  return context.me === MAIN && (mainJobsReady(context) || context.taken.has(leastItem(context.floor)));
}

/** Whether a wait here may execute a foreign job now: no other thread is at work, or about to take what is ready. See rank.ts. */
export function mayTakeForeign(context: Context): boolean {
  const { me, threads, state } = context;
  // By force, it is only dropped.
  if (state >= CANCELLING) return true;
  // Nobody else takes the main thread's own.
  const own = ownReady(context);
  for (let thread = MAIN + 1; thread < threads; thread++) {
    if (thread === me) continue;
    if ((activityOf(context, thread) === AT_REST && !own) || isUnderWay(context, thread)) return false;
  }
  if (me === MAIN) return true;
  if (mainJobsReady(context)) return false;
  if (activityOf(context, MAIN) !== AT_REST) return !isUnderWay(context, MAIN);
  // In its event loop, it goes on with asynchronous jobs of its own.
  return suspendedOn(context, MAIN) === 0 || abandonsSuspended(context);
}

/** Whether a thread is at work; or was woken from its sleep in a wait, and is not yet. */
function isUnderWay(context: Context, thread: number): boolean {
  const activity = activityOf(context, thread);
  return activity === BUSY || ((activity === IDLE || activity === BLOCKED) && context.events.isAwake(thread));
}

function activityOf({ memory }: Context, thread: number): number {
  // Pairs with setActivity: of two threads that come to rest, the later one sees that the other is at rest.
  return Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_ACTIVITY);
}

function ownReady(context: Context): boolean {
  return context.me === MAIN && (!context.taken.empty || mainJobsReady(context));
}

/**
 * Whether this thread may execute jobs that are not its own: not the main one with threads: 1, where only the worker does, so
 * that the order is kept; nor where it has executed jobs inside jobs so deep that its stack, which is not ours to size, may end.
 */
export function mayTake(context: Context): boolean {
  return context.me !== MAIN || !(context.fifo || context.depth > MAIN_DEPTH);
}
