/**
 * Ready jobs that only the main thread runs (F_MAIN): a stack in shared memory, onto which every thread pushes, and
 * which the main thread takes whole.
 *
 * Source: R. K. Treiber's stack (IBM RJ 5118, 1986), emptied by one exchange, as B_FINISHED in finish.ts.
 *
 * The word H_MAIN_JOBS is the item (rank.ts) of the newest job on the stack, and S_LINK leads from each job to the one below it; the last
 * one's says what the word says of an empty stack: -2 * round while the main thread is at rest, one less from when it
 * takes jobs until all that it has taken have finished (suspended ones too). Then the next round begins.
 *
 * Invariants
 *  1. A job is pushed once, by the thread that publishes that it is ready, and is then the main thread's alone.
 *  2. Only the main thread takes, and always all, so that a head that comes back in between (ABA) does no harm.
 *  3. The pusher notifies the main thread after the push; the main thread looks after it has announced that it
 *     sleeps: so no job is left lying.
 *  4. A round ends when what follows its jobs is published. So who reads the same round at rest twice knows that in
 *     between the main thread has run none of its jobs, nor made anything ready by one.
 */
import { H_MAIN_JOBS, RUNNING, S_LINK, SLOT_LOG, STOPPING } from "../memory/layout.js";
import { type Context, MAIN } from "./context.js";
import { leastItem, rankOf, slotOf } from "./rank.js";

const MOST_ROUNDS = 2 ** 30;

/** Appends a job for the main thread; `pushMainJobs` shows it. */
export function appendMainJob(context: Context, item: number): void {
  if (context.oldestForMain === 0) context.oldestForMain = item;
  else context.memory.i32[linkOf(item)] = context.newestForMain;
  context.newestForMain = item;
}

/** The word of an item's job that leads to the item below it. */
function linkOf(item: number): number {
  return (slotOf(item) << SLOT_LOG) + S_LINK;
}

/** Pushes what was appended, and wakes the main thread. */
export function pushMainJobs(context: Context): void {
  const { memory, newestForMain: newest, oldestForMain: oldest } = context;
  context.newestForMain = 0;
  context.oldestForMain = 0;
  for (;;) {
    // Races with other pushers, and with the main thread that takes all.
    const head = Atomics.load(memory.i32, H_MAIN_JOBS);
    memory.i32[linkOf(oldest)] = head;
    if (Atomics.compareExchange(memory.i32, H_MAIN_JOBS, head, newest) === head) break;
  }
  // Also where it listens only for what is urgent.
  context.events.notify(MAIN, true);
}

/** Whether there are jobs that the main thread can take. */
export function mainJobsReady(context: Context): boolean {
  // Pairs with the push: a look after the announcement finds it, or the pusher finds the announcement.
  return Atomics.load(context.memory.i32, H_MAIN_JOBS) > 0;
}

/** The round in which the main thread is at rest, or NOT_AT_REST if it has jobs of its own to take or under way. */
export function roundAtRest(context: Context): number {
  // Pairs with the compare-exchange in `letGoOfMainJobs`: what follows its jobs is published.
  const word = Atomics.load(context.memory.i32, H_MAIN_JOBS);
  return word > 0 || word & 1 ? NOT_AT_REST : -word;
}

export const NOT_AT_REST = -1;

/** Main thread: whether it has taken jobs of its own that it has not begun. */
export function hasTaken(context: Context): boolean {
  return !context.taken.empty || context.postponedHere.length > 0;
}

/**
 * Main thread: takes its oldest job that is ready; in a wait, the newest that is not foreign to it. Its rank becomes that of the context.
 *
 * @returns its slot, or 0
 */
export function takeMainJob(context: Context): number {
  const { taken, postponedHere } = context;
  if (context.depth === 0 && postponedHere.length > 0) taken.putBack(postponedHere.splice(0));
  if (mainJobsReady(context)) takeAll(context);
  const item = taken.take(leastItem(context.floor));
  if (item === 0) return 0;
  context.rank = rankOf(item);
  return slotOf(item);
}

function takeAll(context: Context): void {
  const { memory } = context;
  context.holding = true;
  // Takes the whole stack against those that push; says in the same step that its jobs are under way (invariant 4).
  let item = Atomics.exchange(memory.i32, H_MAIN_JOBS, -2 * context.round - 1);
  const items: number[] = [];
  while (item > 0) {
    memory.reach(linkOf(item));
    items.push(item);
    item = memory.i32[linkOf(item)];
  }
  context.taken.add(items.reverse());
}

/**
 * Main thread: ends a round, if all that it has taken has finished. To be called when what follows is published and no
 * job runs here.
 */
export function letGoOfMainJobs(context: Context): void {
  if (!context.holding || hasTaken(context)) return;
  const { memory, state, round } = context;
  // By force, suspended jobs are not waited for.
  if (context.suspended > 0 && (state === RUNNING || state === STOPPING)) return;
  const next = (round + 1) % MOST_ROUNDS;
  // Settles with those that push: if there are more jobs, the round goes on.
  if (Atomics.compareExchange(memory.i32, H_MAIN_JOBS, -2 * round - 1, -2 * next) !== -2 * round - 1) return;
  context.holding = false;
  context.round = next;
  if (state !== RUNNING) wakeWorkers(context);
}

/** Main thread: workers that have looked before this sleep, or are about to, and are to look once more whether they may end. */
export function wakeWorkers({ events, threads }: Context): void {
  for (let thread = MAIN + 1; thread < threads; thread++) events.notify(thread);
}
