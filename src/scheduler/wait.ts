/** Waiting synchronously: the waiting thread executes other jobs meanwhile. */

import { ASLEEP, BLOCKED, DEAD, OUTSIDE } from "../memory/layout.js";
import { elapsed } from "../platform/host.js";
import { LISTENING, WAITING } from "../sync/event-count.js";
import { abandonsSuspended, isBlocked, LOOK_EVERY, nobodyCanGoOn, restorePostponed } from "./asynchronous.js";
import { BUSY, type Context, IDLE, MAIN } from "./context.js";
import { anyLimited } from "./control.js";
import { waitsForItself } from "./deadlock.js";
import { drainFinished, execute } from "./finish.js";
import { flushGroup } from "./group.js";
import { endMainJobs } from "./main-loop.js";
import {
  findForeign,
  findHere,
  mayTake,
  mayTakeForeign,
  nest,
  nothingForeign,
  nothingHere,
  ownHere,
  tooDeep,
  unnest,
} from "./nesting.js";
import { endStretch, nothingReady, publishHandedOff, submitAll } from "./ready.js";
import { relax } from "./relax.js";
import { WATCH_EVERY, watch } from "./watch.js";

/** What can be waited for. */
interface Target {
  /** Looks whether it has settled by now. */
  readonly settled: boolean;
}

/** What can be waited for, and tells this thread. */
export interface Settleable extends Target {
  /** The slot of its job, or 0 if it is no job. */
  readonly _slot: number;
  /** From now on this thread is notified when it settles. */
  _expectNotice(): void;
}

/** What can be waited for, and knows nothing of this system's threads: it is slept on by itself. */
export interface Outsider extends Target {
  /** Sleeps until it may have settled, at most for `milliseconds`. */
  _sleep(milliseconds: number): void;
}

/** Outcomes of a wait; another one is the slot of a job that waits here and that the target cannot settle before. */
export const SETTLED = 0;
/** The system was given up: the target will not settle any more. */
export const LOST = -1;
/** Only asynchronous jobs could go on, and every thread waits synchronously. */
export const VAIN = -2;
/** Only suspended jobs could go on, and after a shutdown nobody waits for them. */
export const ABANDONED = -4;

/** A rest is over: look again. */
const ON = SETTLED;
/** The same, but nobody seems to be able to go on. */
const HOPELESS = -3;
/** The same, and a foreign job may be taken: see rank.ts. */
const FOREIGN = -5;

/** Looks at the queues this often before going to sleep: some 20 microseconds. */
const SPINS = 300;
/** How long the main thread sleeps at the most before it looks whether the workers are still there, in milliseconds. */
const LOOK_FOR_DEATHS_EVERY = 50;
/** After so many jobs the main thread looks for deaths too, if it finds one after the other. */
const LOOK_AFTER = 64;
/** How long a wait leaves foreign jobs to others that are at work, and executes nothing, in milliseconds. */
const PATIENCE = 1000;
/** The same for a wait that executes others meanwhile. */
const LONGEST_PATIENCE = 4000;
/** After so many jobs a wait looks whether that time is over, if it finds one after the other. */
const LOOK_AT_CLOCK_AFTER = 8;
/** How long a thread that leaves foreign jobs to others sleeps before it looks whether they can go on, in milliseconds. */
const LOOK_AT_OTHERS_EVERY = 2;
/** How long a thread sleeps on an outsider before it looks for jobs again, in milliseconds. */
const DOZE = 1;

/**
 * How a thread rests while there is nothing for it to execute; `postponedSome`: but asynchronous jobs, for others; `foreign`: but
 * foreign jobs. Returns ON, HOPELESS or FOREIGN; or the outcome, when the wait can never end.
 */
type Rest<T> = (context: Context, target: T, postponedSome: boolean, foreign: boolean) => number;

/**
 * Executes jobs until `target` has settled.
 *
 * @returns SETTLED, or why it cannot settle: LOST, VAIN, ABANDONED, or the slot of a job that waits here and has to finish first
 * @throws RangeError when jobs wait inside jobs too deeply
 */
export function waitFor(context: Context, target: Settleable): number {
  return waitWith(context, target, sleepUnlessVain);
}

/**
 * As `waitFor`, for what does not notify this thread through the event count. It ends only when that has settled, unless this
 * thread is alone: then nobody else could settle it.
 *
 * @returns SETTLED, or VAIN
 */
export function waitForOutsider(context: Context, target: Outsider): number {
  return waitWith(context, target, dozeOff);
}

/** Publishes all that this thread keeps to itself for the time being; to be done before it blocks. */
export function holdNothingBack(context: Context): void {
  if (context.counted > 0) flushGroup(context);
  if (context.unpublished.length > 0) submitAll(context);
  endStretch(context);
}

function waitWith<T extends Target>(context: Context, target: T, rest: Rest<T>): number {
  holdNothingBack(context);
  if (tooDeep(context)) {
    throw new RangeError(
      `jobs wait inside jobs ${context.depth} deep; link them with then/after instead of waiting, or wait less deeply`,
    );
  }
  const outer = nest(context);
  if (context.me === MAIN) context.setActivity(BUSY);
  try {
    return helpUntil(context, target, rest);
  } finally {
    context.rank = context.floor;
    restorePostponed(context);
    // This thread may not look for jobs again for long.
    flushGroup(context);
    unnest(context, outer);
    if (context.me === MAIN) leave(context);
  }
}

/** The main thread is back where it was before it waited: in a job of its own, or in the user's program. */
function leave(context: Context): void {
  submitAll(context);
  if (context.running !== 0) context.setActivity(BUSY);
  else endMainJobs(context);
}

function helpUntil<T extends Target>(context: Context, target: T, rest: Rest<T>): number {
  let vain = 0;
  let finds = 0;
  let foreign = false;
  /** Whether anything was executed since the last rest, or the last look at the clock. */
  let executed = false;
  /** Since when foreign jobs are ready and none was taken here, and since when besides nothing was executed, in milliseconds; or 0. */
  let leftSince = 0;
  let idleSince = 0;
  for (;;) {
    let job = foreign ? findForeign(context) : findHere(context);
    const found = job !== 0;
    const aside = context.postponed.length;
    while (job !== 0) {
      job = execute(context, job);
      watch(context);
      if (!target.settled) continue;
      // Handed off to us, but we are done here: leave it to whoever is next.
      publishHandedOff(context, job);
      return SETTLED;
    }
    context.rank = context.floor;
    // threads: 1 – what the main thread's own jobs have made ready.
    submitAll(context);
    watch(context);
    flushGroup(context);
    if (target.settled) return SETTLED;
    const onlySetAside = context.postponed.length > aside;
    if (found && !onlySetAside) executed = true;
    // One that was only set aside was none: the next may be.
    foreign &&= onlySetAside;
    if (found) {
      if (++finds % LOOK_AFTER === 0) context.watch();
      // What is ready may be behind asynchronous jobs, which are only set aside.
      if (foreign || finds % LOOK_AT_CLOCK_AFTER !== 0) continue;
    }
    const foreignReady = context.floor > 0 && !nothingForeign(context);
    if (executed) vain = 0;
    if (executed || !foreignReady) idleSince = 0;
    if (!foreignReady) leftSince = 0;
    executed = false;
    if (foreignReady) {
      const now = elapsed();
      leftSince ||= now;
      idleSince ||= now;
      foreign = now - idleSince > PATIENCE || now - leftSince > LONGEST_PATIENCE;
      if (foreign) {
        leftSince = idleSince = now;
        continue;
      }
    }
    if (found) continue;
    const outcome = rest(context, target, restorePostponed(context), foreignReady);
    if (target.settled) return SETTLED;
    foreign = outcome === FOREIGN;
    if (foreign) continue;
    vain = outcome === HOPELESS ? vain + 1 : 0;
    // Twice: a thread may have been between two states.
    if (vain === 2) {
      // Those that this thread may take were left to others, who cannot go on.
      foreign = foreignReady;
      if (foreign) continue;
    }
    if (vain >= 2) return inVain(context);
    if (outcome !== ON && outcome !== HOPELESS) return outcome;
  }
}

/** Why nobody can go on. The system may have been given up since the last look. */
function inVain(context: Context): number {
  if (context.state === DEAD) return LOST;
  return abandonsSuspended(context) ? ABANDONED : VAIN;
}

/** Looks around for a short time. @returns whether there is something to do */
function spin(context: Context, target: Target): boolean {
  for (let k = 0; k < SPINS; k++) {
    if (target.settled || !nothingHere(context)) return true;
    relax();
  }
  return false;
}

/** Sleeps, also where asynchronous jobs are to be gone on with and this thread holds some up. */
function sleepUnlessVain(context: Context, target: Settleable, postponedSome: boolean, foreign: boolean): number {
  const blocked = isBlocked(context, postponedSome);
  if (!blocked && !context.alone && spin(context, target)) return ON;
  if (context.state === DEAD) return LOST;
  const blocker = waitsForItself(context, target._slot);
  if (blocker !== 0) return blocker;
  if (foreign && mayTakeForeign(context)) return FOREIGN;
  // Only this thread's event loop could go on with anything.
  if (context.alone) return HOPELESS;
  if (blocked || abandonsSuspended(context)) return sleepBlocked(context, target, postponedSome, foreign);
  return sleep(context, target, foreign);
}

/** @param foreign there are foreign jobs, which are left to others; then it is no use to wake this thread for work */
function sleep(context: Context, target: Settleable, foreign: boolean): number {
  const { events, me } = context;
  const state = mayTake(context) && !foreign ? WAITING : LISTENING;
  target._expectNotice();
  events.prepare(me, state);
  // The last look, after the announcement: no wake is lost.
  drainFinished(context);
  const found = target.settled || context.undelivered.length > 0 || !nothingHere(context) || newForeign(context, state);
  let outcome = ON;
  if (found || context.state === DEAD) {
    events.cancel(me, state);
  } else {
    context.setActivity(IDLE);
    // After this thread has said that it is at rest: of those that come to rest together, the last sees all.
    if (foreign && mayTakeForeign(context)) {
      events.cancel(me, state);
      outcome = FOREIGN;
    } else {
      sleepFor(context, state, foreign ? LOOK_AT_OTHERS_EVERY : longestSleep(context));
    }
    context.setActivity(BUSY);
    drainFinished(context);
    context.takeIn();
    // Also if it was woken: as long as that happens often, it would never be time for it.
    context.watch();
  }
  // The wake may have been for work, and we may be done waiting: pass it on. If not, we take one job
  // next, and there may be more.
  if (!nothingReady(context)) events.notifyOne();
  return outcome;
}

/** Whether foreign jobs have become ready since this thread has looked, which is about to sleep as if there were none. */
function newForeign(context: Context, state: number): boolean {
  return state === WAITING && context.floor > 0 && !nothingForeign(context);
}

/** How long a thread sleeps that is woken when there is anything for it to do, in milliseconds. */
function longestSleep(context: Context): number {
  if (watches(context)) return WATCH_EVERY;
  return context.me === MAIN ? LOOK_FOR_DEATHS_EVERY : Number.POSITIVE_INFINITY;
}

/**
 * As `sleep`, where asynchronous jobs are to be gone on with, and this thread holds some up or nobody waits for them. Not for long: nobody wakes it for
 * jobs that become ready meanwhile, and that the others may not take either.
 *
 * @param postponedSome there are ready ones; then it is no use to wake this thread for work
 * @param foreign as for `sleep`
 * @returns ON, or HOPELESS when nobody seems to be able to go on
 */
function sleepBlocked(context: Context, target: Settleable, postponedSome: boolean, foreign: boolean): number {
  const { events, me } = context;
  const state = postponedSome || foreign || !mayTake(context) ? LISTENING : WAITING;
  let hopeless = false;
  target._expectNotice();
  events.prepare(me, state);
  drainFinished(context);
  const found = state === WAITING ? !nothingHere(context) || newForeign(context, state) : ownHere(context);
  if (target.settled || found || context.state === DEAD) {
    events.cancel(me, state);
  } else {
    context.setActivity(BLOCKED);
    const woken = sleepFor(context, state, watches(context) ? WATCH_EVERY : LOOK_EVERY);
    hopeless = !woken && nobodyCanGoOn(context);
    context.setActivity(BUSY);
    watch(context);
    context.takeIn();
    context.watch();
  }
  drainFinished(context);
  if (!nothingReady(context)) events.notifyOne();
  return hopeless ? HOPELESS : ON;
}

/** Sleeps after `prepare` and the last look. @returns false when it was not woken and `timeout`, in milliseconds, is over */
function sleepFor(context: Context, state: number, timeout: number): boolean {
  const { events, me } = context;
  context.leave(state === WAITING ? ASLEEP : OUTSIDE);
  const notified = events.commit(me, state, timeout);
  context.enter();
  // If a notifier was faster than `cancel`, that has ended the search itself.
  if (!notified) return events.cancel(me, state);
  if (state === WAITING) events.endSearch();
  return true;
}

/** Whether this thread is to look for jobs whose time is over; asked after the announcement of a sleep, see control.ts. */
function watches(context: Context): boolean {
  return context.me === MAIN && anyLimited(context);
}

/** Nobody can wake this thread for a job that becomes ready meanwhile, so it looks for one now and then. */
function dozeOff(context: Context, target: Outsider, postponedSome: boolean, foreign: boolean): number {
  if (!postponedSome && !context.alone && spin(context, target)) return ON;
  if (foreign && mayTakeForeign(context)) return FOREIGN;
  if (context.alone) return HOPELESS;
  const { events, me } = context;
  // Nobody wakes it by this; but it is seen that it sleeps (nesting.ts).
  events.prepare(me, LISTENING);
  context.setActivity(IDLE);
  context.leave();
  target._sleep(DOZE);
  context.enter();
  context.setActivity(BUSY);
  events.cancel(me, LISTENING);
  drainFinished(context);
  context.takeIn();
  context.watch();
  return ON;
}
