/** Waiting synchronously: the waiting thread executes other jobs meanwhile. */
import { LISTENING, WAITING } from "../sync/event-count.js";
import { BLOCKED, isBlocked, LOOK_EVERY, nobodyCanGoOn, restorePostponed } from "./asynchronous.js";
import { BUSY, type Context, IDLE, MAIN } from "./context.js";
import { drainFinished, execute } from "./finish.js";
import { flushGroup } from "./group.js";
import { appendReady, endStretch, findReady, nothingReady, publishReady, submitAll } from "./ready.js";
import { relax } from "./relax.js";

/** What can be waited for. */
export interface Settleable {
  /** Looks whether it has settled by now. */
  readonly settled: boolean;
  /** From now on this thread is notified when it settles. */
  _expectNotice(): void;
}

/** What can be waited for, and knows nothing of this system's threads: it is slept on by itself. */
export interface Outsider extends Settleable {
  /** Sleeps until it may have settled, at most for `milliseconds`. */
  _sleep(milliseconds: number): void;
}

/** How deep jobs may wait inside jobs that wait: every level takes some of the thread's stack. */
export const MAX_DEPTH = 1500;

/** Looks at the queues this often before going to sleep: some 20 microseconds. */
const SPINS = 300;
/** How long a thread sleeps on an outsider before it looks for jobs again, in milliseconds. */
const DOZE = 1;

/**
 * How a thread rests while there is nothing for it to execute; `postponedSome`: but asynchronous jobs, for others.
 * Returns false when the wait can never end.
 */
type Rest<T> = (context: Context, target: T, postponedSome: boolean) => boolean;

/**
 * Executes jobs until `target` has settled.
 *
 * @returns false if it never can, because only asynchronous jobs could go on and every thread waits synchronously
 * @throws RangeError when jobs wait inside jobs too deeply
 */
export function waitFor(context: Context, target: Settleable): boolean {
  return waitWith(context, target, sleepUnlessVain);
}

/** As `waitFor`, for what does not notify this thread through the event count. */
export function waitForOutsider(context: Context, target: Outsider): void {
  waitWith(context, target, dozeOff);
}

/** Publishes all that this thread keeps to itself for the time being; to be done before it blocks. */
export function holdNothingBack(context: Context): void {
  if (context.counted > 0) flushGroup(context);
  if (context.unpublished.length > 0) submitAll(context);
  endStretch(context);
}

function waitWith<T extends Settleable>(context: Context, target: T, rest: Rest<T>): boolean {
  holdNothingBack(context);
  if (context.depth >= MAX_DEPTH) {
    throw new RangeError(
      `jobs wait inside jobs ${MAX_DEPTH} deep; link them with then/after instead of waiting, or wait less deeply`,
    );
  }
  context.depth++;
  if (context.me === MAIN) context.setActivity(BUSY);
  try {
    return helpUntil(context, target, rest);
  } finally {
    context.depth--;
    restorePostponed(context);
    if (context.me === MAIN) context.setActivity(IDLE);
  }
}

function helpUntil<T extends Settleable>(context: Context, target: T, rest: Rest<T>): boolean {
  for (;;) {
    let job = findReady(context);
    while (job !== 0) {
      job = execute(context, job);
      if (!target.settled) continue;
      if (job !== 0) {
        // Handed off to us, but we are done here: leave it to whoever is next.
        appendReady(context, job);
        publishReady(context);
      }
      return true;
    }
    if (target.settled) return true;
    flushGroup(context);
    if (!rest(context, target, restorePostponed(context))) return false;
    if (target.settled) return true;
  }
}

/** Looks around for a short time. @returns whether there is something to do */
function spin(context: Context, target: Settleable): boolean {
  for (let k = 0; k < SPINS; k++) {
    if (target.settled || (mayTake(context) && !nothingReady(context))) return true;
    relax();
  }
  return false;
}

function sleep(context: Context, target: Settleable): void {
  const { events, me } = context;
  const state = mayTake(context) ? WAITING : LISTENING;
  target._expectNotice();
  events.prepare(me, state);
  // The last look, after the announcement: no wake is lost.
  drainFinished(context);
  if (target.settled || context.undelivered.length > 0 || (mayTake(context) && !nothingReady(context))) {
    events.cancel(me, state);
  } else {
    context.setActivity(IDLE);
    events.commit(me, state);
    if (state === WAITING) events.endSearch();
    context.setActivity(BUSY);
    drainFinished(context);
  }
  // The wake may have been for work, and we may be done waiting: pass it on. If not, we take one job
  // next, and there may be more.
  if (!nothingReady(context)) events.notifyOne();
}

function sleepUnlessVain(context: Context, target: Settleable, postponedSome: boolean): boolean {
  if (isBlocked(context, postponedSome)) return sleepBlocked(context, target, postponedSome);
  if (!spin(context, target)) sleep(context, target);
  return true;
}

/**
 * As `sleep`, where asynchronous jobs are to be gone on with and this thread holds some up.
 *
 * @param postponedSome there are ready ones; then it is no use to wake this thread for work
 * @returns false when nobody can go on
 */
function sleepBlocked(context: Context, target: Settleable, postponedSome: boolean): boolean {
  const { events, me } = context;
  const state = postponedSome || !mayTake(context) ? LISTENING : WAITING;
  target._expectNotice();
  for (let vain = 0; vain < 2; ) {
    events.prepare(me, state);
    drainFinished(context);
    if (target.settled || (state === WAITING && !nothingReady(context))) {
      events.cancel(me, state);
      break;
    }
    context.setActivity(BLOCKED);
    const woken = events.commit(me, state, LOOK_EVERY) || events.cancel(me, state);
    const hopeless = !woken && nobodyCanGoOn(context);
    if (woken && state === WAITING) events.endSearch();
    context.setActivity(BUSY);
    if (woken) break;
    // Twice: a thread may have been between two states.
    vain = hopeless ? vain + 1 : 0;
    if (vain === 2) return false;
  }
  drainFinished(context);
  if (!nothingReady(context)) events.notifyOne();
  return true;
}

/** Nobody can wake this thread for a job that becomes ready meanwhile, so it looks for one now and then. */
function dozeOff(context: Context, target: Outsider, postponedSome: boolean): boolean {
  if (!postponedSome && spin(context, target)) return true;
  context.setActivity(IDLE);
  target._sleep(DOZE);
  context.setActivity(BUSY);
  drainFinished(context);
  return true;
}

/** threads: 1 – only the worker executes, so that the order is kept. */
function mayTake(context: Context): boolean {
  return !(context.fifo && context.me === MAIN);
}
