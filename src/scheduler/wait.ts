/** Waiting synchronously: the waiting thread executes other jobs meanwhile. */
import { DEAD, STOPPED } from "../memory/layout.js";
import { LISTENING, WAITING } from "../sync/event-count.js";
import { BUSY, type Context, IDLE, MAIN } from "./context.js";
import { waitsForItself } from "./deadlock.js";
import { drainFinished, execute, executeAll } from "./finish.js";
import { flushGroup } from "./group.js";
import { appendReady, endStretch, findReady, nothingReady, publishReady, submitAll } from "./ready.js";
import { relax } from "./relax.js";

/** What can be waited for. */
export interface Settleable {
  /** Looks whether it has settled by now. */
  readonly settled: boolean;
  /** The slot of its job, or 0 if it is no job. */
  readonly _slot: number;
  /** From now on this thread is notified when it settles. */
  _expectNotice(): void;
}

/** The outcome of `waitFor` when nobody can tell whether its target will ever settle. */
export const LOST = -1;

/** How deep jobs may wait inside jobs that wait: every level takes some of the thread's stack. */
export const MAX_DEPTH = 1500;

/** How deep the main thread executes jobs inside jobs: some 300 KiB of a stack that has 1 MiB by default. */
const MAIN_DEPTH = 256;

/** Looks at the queues this often before going to sleep: some 20 microseconds. */
const SPINS = 300;

/**
 * Executes jobs until `target` has settled.
 *
 * @returns 0; or a job that waits here, if `target` cannot settle before that has finished; or LOST, if a worker has died
 * @throws RangeError when jobs wait inside jobs too deeply
 */
export function waitFor(context: Context, target: Settleable): number {
  if (context.counted > 0) flushGroup(context);
  if (context.unpublished.length > 0) submitAll(context);
  endStretch(context);
  if (context.depth >= MAX_DEPTH) {
    throw new RangeError(
      `jobs wait inside jobs ${MAX_DEPTH} deep; link them with then/after instead of waiting, or wait less deeply`,
    );
  }
  const { running } = context;
  context.depth++;
  if (running !== 0) context.waiting.push(running);
  if (context.me === MAIN) context.setActivity(BUSY);
  let blocker: number;
  try {
    blocker = helpUntil(context, target);
  } finally {
    context.depth--;
    if (running !== 0) context.waiting.pop();
    context.running = running;
    if (context.me === MAIN) context.setActivity(IDLE);
  }
  // Pairs with a worker's last look before it ends (worker-loop.ts): it finds what we have published, or we see that it
  // has stopped.
  if (context.me === MAIN && context.depth === 0 && context.state === STOPPED) executeRest(context);
  return blocker;
}

/** Executes what this thread has made ready after the workers have stopped. */
function executeRest(context: Context): void {
  for (let job = findReady(context); job !== 0; job = findReady(context)) executeAll(context, job);
  context.running = 0;
}

function helpUntil(context: Context, target: Settleable): number {
  for (;;) {
    let job = mayTake(context) ? findReady(context) : 0;
    while (job !== 0) {
      job = execute(context, job);
      if (!target.settled) continue;
      if (job !== 0) {
        // Handed off to us, but we are done here: leave it to whoever is next.
        appendReady(context, job);
        publishReady(context);
      }
      return 0;
    }
    if (target.settled) return 0;
    flushGroup(context);
    if (!spin(context, target)) {
      if (context.state === DEAD) return LOST;
      const blocker = waitsForItself(context, target._slot);
      if (blocker !== 0) return blocker;
      sleep(context, target);
    }
    if (target.settled) return 0;
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
  const found = target.settled || context.undelivered.length > 0 || (mayTake(context) && !nothingReady(context));
  if (found || context.state === DEAD) {
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

/**
 * Whether this thread may execute jobs: not the main one with threads: 1, where only the worker does, so that the order is
 * kept; nor where it has executed jobs inside jobs so deep that its stack, which is not ours to size, may end.
 */
function mayTake(context: Context): boolean {
  return context.me !== MAIN || !(context.fifo || context.depth > MAIN_DEPTH);
}
