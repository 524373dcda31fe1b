/** What the main thread executes in its event loop: the jobs that only it runs. While it waits synchronously, see wait.ts. */
import { AT_REST, BUSY, type Context } from "./context.js";
import { execute } from "./finish.js";
import { flushGroup } from "./group.js";
import { hasTaken, letGoOfMainJobs, mainJobsReady, takeMainJob } from "./main-jobs.js";
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
  const end = performance.now() + SLICE;
  // As long as it holds some, others may wait for them.
  context.setActivity(BUSY);
  do {
    const job = takeMainJob(context);
    if (job === 0) break;
    const next = execute(context, job);
    context.running = 0;
    // What follows is not for this thread.
    publishHandedOff(context, next);
    submitAll(context);
  } while (performance.now() < end);
  flushGroup(context);
  endMainJobs(context);
  return mainJobsToRun(context);
}

/** To be called when no job runs on the main thread any more: it is at work as long as it has taken some. */
export function endMainJobs(context: Context): void {
  if (hasTaken(context)) {
    context.setActivity(BUSY);
    return;
  }
  context.setActivity(AT_REST);
  letGoOfMainJobs(context);
}
