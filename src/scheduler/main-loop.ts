/** What the main thread executes in its event loop: the jobs that only it runs. While it waits synchronously, see wait.ts. */

import { RUNNING } from "../memory/layout.js";
import { elapsed } from "../platform/host.js";
import { AT_REST, BUSY, type Context, MAIN } from "./context.js";
import { execute } from "./finish.js";
import { flushGroup } from "./group.js";
import { hasTaken, letGoOfMainJobs, mainJobsReady, takeMainJob, wakeWorkers } from "./main-jobs.js";
import { publishHandedOff, submitAll } from "./ready.js";

/** How long jobs may run before the event loop gets its turn, in milliseconds. */
const SLICE = 10;

/** Whether there is anything for `runMainJobs` to do. */
export function mainJobsToRun(context: Context): boolean {
  return hasTaken(context) || mainJobsReady(context);
}

/** Executes the main thread's jobs for about SLICE milliseconds; to be called when none runs here. @returns whether some are left */
export function runMainJobs(context: Context): boolean {
  if (!mainJobsToRun(context)) return false;
  const end = elapsed() + SLICE;
  // As long as it holds some, others may wait for them.
  context.setActivity(BUSY);
  do {
    const job = takeMainJob(context);
    if (job === 0) break;
    const next = execute(context, job);
    context.running = 0;
    context.rank = 0;
    // What follows is not for this thread.
    publishHandedOff(context, next);
    submitAll(context);
  } while (elapsed() < end && !context.lacking);
  context.lacking = false;
  flushGroup(context);
  endMainJobs(context);
  return mainJobsToRun(context);
}

/**
 * On any thread: finishes jobs from outside of any job and wait. As long as the main thread does, what follows may be ready and
 * not published yet, so no worker may end.
 */
export function finishFromOutside(context: Context, finish: () => void): void {
  if (context.me !== MAIN || context.running !== 0 || context.depth > 0) {
    finish();
    return;
  }
  context.setActivity(BUSY);
  try {
    finish();
  } finally {
    submitAll(context);
    endMainJobs(context);
  }
}

/**
 * To be called when the main thread is back in the user's program, where no job and no wait is under way: it is at work only as
 * long as it has taken jobs of its own.
 */
export function endMainJobs(context: Context): void {
  if (hasTaken(context)) {
    context.setActivity(BUSY);
    return;
  }
  context.setActivity(AT_REST);
  letGoOfMainJobs(context);
  // No worker has ended while this thread was at work (worker-loop.ts).
  if (context.state !== RUNNING) wakeWorkers(context);
}
