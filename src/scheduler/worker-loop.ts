/** What a worker does all its life: execute, look around, go round its event loop, sleep. */

import {
  ASLEEP,
  B_ACTIVITY,
  B_RAN,
  BLOCKED,
  CANCELLING,
  DEAD,
  DOZING,
  H_STATE,
  RUNNING,
  STOPPED,
  STOPPING,
} from "../memory/layout.js";
import type { Memory } from "../memory/memory.js";
import { elapsed } from "../platform/host.js";
import { TURNING, WAITING } from "../sync/event-count.js";
import { anySuspended, overdraw, restoreLacking } from "./asynchronous.js";
import { AT_REST, BUSY, type Context } from "./context.js";
import { drainFinished, execute } from "./finish.js";
import { flushGroup } from "./group.js";
import { letGoOfMainJobs, NOT_AT_REST, roundAtRest } from "./main-jobs.js";
import { endStretch, findReady, nothingReady, publishHandedOff, submitAll } from "./ready.js";
import { relax } from "./relax.js";

/** How long jobs may run before the event loop gets its turn, in milliseconds. */
const SLICE = 10;
/** Jobs between two looks at the clock, at most. */
const LONGEST_INTERVAL = 64;
/** Looks at the queues this often before it goes to sleep: some 20 microseconds. */
const SPINS = 300;

/** What the worker's loop needs from its surroundings. */
export interface Surroundings {
  /** Goes round the event loop once: timers, messages, output. */
  turn(): Promise<void>;
  /** Whether timers, signals or the like are pending, so that the thread must not block. */
  pending(): boolean;
  /** Whether there may be others that `pending` does not know of, as code on this thread has opened something at some time. */
  opened(): boolean;
  /** Whether asynchronous code on this thread awaits jobs. */
  awaiting(): boolean;
  /** Whether something has come about that code on this thread, or the main thread, is to hear of before this one sleeps. */
  called(): boolean;
  /** Called between jobs, when none is running on this thread. */
  between(): void;
}

/** Executes jobs until the system is stopped and nothing is left to do. */
export async function workerLoop(context: Context, surroundings: Surroundings): Promise<void> {
  context.enter();
  for (const level of context.highFirst) level.own.resume();
  context.setActivity(BUSY);
  let job = 0;
  let end = elapsed() + SLICE;
  for (;;) {
    const outOfWork = runSlice(context, job, end);
    surroundings.between();
    // What this finds belongs to the same slice: else the event loop would have no turn as long as something is found each time.
    job = outOfWork ? search(context) : 0;
    if (job !== 0) continue;
    context.leave();
    await surroundings.turn();
    context.enter();
    end = elapsed() + SLICE;
    restoreLacking(context);
    endStretch(context);
    drainFinished(context);
    if (!outOfWork) continue;
    if (!nothingReady(context)) {
      // Published while we still counted as searching, perhaps: then nobody else was woken for the rest.
      job = firstFound(context);
      continue;
    }
    job = surroundings.awaiting() ? overdraw(context) : 0;
    if (job !== 0) continue;
    const stopped = await sleep(context, surroundings);
    context.enter();
    if (stopped) break;
    end = elapsed() + SLICE;
    // Asynchronous code has gone on meanwhile.
    endStretch(context);
    job = firstFound(context);
  }
  context.leave();
}

/** Executes `job` and others, at least one, until about `end`. @returns true if there were no more */
function runSlice(context: Context, job: number, end: number): boolean {
  let interval = 1;
  let last = elapsed();
  let countdown = interval;
  for (;;) {
    if (job === 0) job = findReady(context);
    if (job === 0) {
      context.running = 0;
      context.rank = 0;
      flushGroup(context);
      drainFinished(context);
      return true;
    }
    job = execute(context, job);
    if (--countdown > 0) continue;
    const now = elapsed();
    context.memory.i32[context.block + B_RAN] = 1;
    if (now >= end) {
      context.running = 0;
      publishHandedOff(context, job);
      context.rank = 0;
      flushGroup(context);
      return false;
    }
    // Short jobs need a look at the clock less often than long ones.
    interval = now - last < 1 ? Math.min(interval * 2, LONGEST_INTERVAL) : 1;
    countdown = interval;
    last = now;
  }
}

/** Looks around for a short time. @returns a job, or 0 */
function search(context: Context): number {
  const { events } = context;
  if (!events.startSearch(context.searchers)) return 0;
  let spins = SPINS;
  while (--spins > 0 && nothingReady(context)) relax();
  events.endSearch();
  return spins === 0 ? 0 : firstFound(context);
}

/** What a search has found, after its end. @returns a job, or 0 */
function firstFound(context: Context): number {
  const job = findReady(context);
  // While we searched, nobody else was woken; so we do it if there is more.
  if (job !== 0 && !nothingReady(context)) context.events.notifyOne();
  return job;
}

/** Sleeps until there may be work. Leaves the scheduler, as asynchronous code goes on when this ends. @returns true when the system has stopped */
async function sleep(context: Context, surroundings: Surroundings): Promise<boolean> {
  const { events, me } = context;
  const opened = surroundings.opened();
  const turns = opened || context.suspended > 0 || surroundings.pending();
  const state = turns ? TURNING : WAITING;
  let slept = false;
  // Who is TURNING may be woken for what another has taken by now: then it sleeps on.
  for (;;) {
    events.prepare(me, state);
    // Nobody tells us when jobs have finished that we do not wait for.
    context.outstanding.sweep(context);
    // The last look, after the announcement: no wake is lost.
    drainFinished(context);
    if (!nothingReady(context) || context.undelivered.length > 0 || surroundings.called()) {
      events.cancel(me, state);
      break;
    }
    // Before the look at the others: of those that come to rest together, the last sees all.
    context.setActivity(AT_REST);
    if (mayStop(context)) {
      const stops = stop(context, state);
      context.leave();
      return stops;
    }
    slept = true;
    const goesOn = turns ? await doze(context) : block(context);
    context.setActivity(BUSY);
    if (goesOn) break;
  }
  drainFinished(context);
  context.leave();
  // What was due by now comes before the next job: the first turn ends the round in which the thread woke, the second is a whole one.
  for (let left = slept && opened ? 2 : 0; left > 0; left--) await surroundings.turn();
  return false;
}

/** Sleeps after `prepare`. @returns true: whoever wakes this thread leaves to it what is there */
function block(context: Context): boolean {
  context.leave(ASLEEP);
  context.events.commit(context.me);
  context.enter();
  context.events.endSearch();
  return true;
}

/** As `block`, while the thread's event loop turns. @returns whether there may be something to do */
async function doze(context: Context): Promise<boolean> {
  context.leave(DOZING);
  await context.events.commitAsync(context.me);
  const stirred = !context.dozing;
  context.leave();
  context.enter();
  return stirred || !nothingReady(context);
}

/** The system may stop; `state`: how this thread has announced its sleep. @returns false if this thread has still something to do */
function stop(context: Context, state: number): boolean {
  const { events, me } = context;
  events.cancel(me, state);
  events.notifyAll();
  // The last look: a thread that has been at work between the looks of `mayStop`, and is at rest again, may have made a job ready.
  if (!nothingReady(context)) {
    context.setActivity(BUSY);
    return false;
  }
  // For good: who looks whether anybody can go on does not count on this thread.
  context.setActivity(BLOCKED);
  return true;
}

/** Whether the system is to stop and no worker has anything to do. */
export function mayStop(context: Context): boolean {
  const { state, events, threads, memory } = context;
  if (state === RUNNING) return false;
  if (state === DEAD) return true;
  const round = roundAtRest(context);
  // The main thread wakes us when it has run its own jobs, as we are to run what follows them.
  if (round === NOT_AT_REST) return false;
  if (state === STOPPED) return true;
  // Before the look at the queues: a job that has finished since has published what follows it. By force, none is waited for.
  if (state === STOPPING && anySuspended(context)) return false;
  // Every worker has announced its sleep, and there is nothing to find: as only running threads make jobs ready now, none
  // will come. The order matters: first that all sleep, then that nothing is there. Those that wait synchronously sleep
  // too, and go on: so nobody may do that, neither before nor after the look. A worker comes here when it has gone on, the
  // main thread wakes us.
  if (!othersAtRest(context) || events.sleepers < threads - 1) return false;
  if (!nothingReady(context) || !othersAtRest(context)) return false;
  // Nor has the main thread made any ready by jobs of its own; else it wakes us.
  if (roundAtRest(context) !== round) return false;
  // Seen by the others, who are woken by the caller. Settles with a worker that dies, and a shutdown by force.
  return Atomics.compareExchange(memory.i32, H_STATE, state, STOPPED) === state || mayStop(context);
}

/** Whether each other thread is in no job and in no synchronous wait. */
function othersAtRest({ memory, me, threads }: Context): boolean {
  for (let thread = 0; thread < threads; thread++) {
    if (thread !== me && activityOf(memory, thread) !== AT_REST) return false;
  }
  return true;
}

function activityOf(memory: Memory, thread: number): number {
  // Pairs with setActivity: a thread that begins to wait says so before it takes a job.
  return Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_ACTIVITY);
}

/**
 * Tells all threads that no job will run any more, so that nobody waits for one.
 *
 * @returns the threads at rest: a worker there stops by itself now
 */
export function giveUp(context: Context): number[] {
  const { memory, events } = context;
  const threads = Array.from({ length: context.threads }, (_, thread) => thread);
  // Pairs with setActivity; one that begins to execute meanwhile finds that nothing may start any more.
  const resting = threads.filter((thread) => activityOf(memory, thread) === AT_REST);
  // Pairs with the last look of who is about to sleep in `wait`.
  Atomics.store(memory.i32, H_STATE, DEAD);
  for (const thread of threads) events.notify(thread, true);
  return resting;
}

/** Asks all workers to stop when nothing is left to do; `force`: without running what has not started. */
export function stopWorkers(context: Context, force: boolean): void {
  submitAll(context);
  endStretch(context);
  const { state, memory } = context;
  // Seen by each worker when it looks for the next job, and by those that sleep because they are woken. Settles with
  // workers that have agreed to stop, or one that has died: that stays, else those that have ended would be waited for.
  if (state !== STOPPED && state !== DEAD) {
    Atomics.compareExchange(memory.i32, H_STATE, state, force ? CANCELLING : STOPPING);
  }
  // By force, nobody waits for its suspended jobs.
  if (context.running === 0) letGoOfMainJobs(context);
  context.events.notifyAll();
}
