/**
 * Jobs inside jobs: a job that waits, or that makes room, stays on its thread's stack while the thread executes others.
 * How deep that may go, and what may be executed there.
 */
import { type Context, MAIN } from "./context.js";
import { mainJobsReady, takeMainJob } from "./main-jobs.js";
import { findReady, nothingReady } from "./ready.js";

/** How deep jobs may wait inside jobs that wait: every level takes some of the thread's stack. */
const MAX_DEPTH = 1500;

/**
 * How deep the main thread executes others' jobs inside jobs: some 300 KiB of a stack that has 1 MiB by default. Its own,
 * which nobody else runs, as deep again.
 */
const MAIN_DEPTH = 256;
const MAX_MAIN_DEPTH = 2 * MAIN_DEPTH;

/** What is executed here from now on is inside the job that runs here, if one does. @returns what `unnest` is to be given */
export function nest(context: Context): number {
  const { running } = context;
  context.depth++;
  if (running !== 0) context.waiting.push(running);
  return running;
}

/** The job that ran here before `nest`, or 0, goes on. */
export function unnest(context: Context, outer: number): void {
  context.depth--;
  if (outer !== 0) context.waiting.pop();
  context.running = outer;
}

/** Whether jobs wait inside jobs so deep on this thread that none can be executed any more. */
export function tooDeep({ me, depth }: Context): boolean {
  return depth >= (me === MAIN ? MAX_MAIN_DEPTH : MAX_DEPTH);
}

/** Finds a job that this thread can execute inside another, or while it waits. @returns its slot, or 0 */
export function findHere(context: Context): number {
  const own = context.me === MAIN ? takeMainJob(context) : 0;
  if (own !== 0) return own;
  return mayTake(context) ? findReady(context) : 0;
}

/** Whether `findHere` seems to find nothing. */
export function nothingHere(context: Context): boolean {
  return !ownHere(context) && (!mayTake(context) || nothingReady(context));
}

/** Whether this is the main thread and there are jobs of its own to execute while it waits. */
export function ownHere(context: Context): boolean {
  return context.me === MAIN && (context.taken !== 0 || mainJobsReady(context));
}

/**
 * Whether this thread may execute jobs that are not its own: not the main one with threads: 1, where only the worker does, so
 * that the order is kept; nor where it has executed jobs inside jobs so deep that its stack, which is not ours to size, may end.
 */
export function mayTake(context: Context): boolean {
  return context.me !== MAIN || !(context.fifo || context.depth > MAIN_DEPTH);
}
