/**
 * Where ready jobs are put and found.
 *
 * Jobs of normal priority are in a deque for each thread; those of high and of low priority in deques of their own
 * (`Level`), and those that only the main thread runs in main-jobs.ts. Until there has been such a job (H_PRIORITIES),
 * nobody looks for them.
 */

import {
  F_APART,
  F_HIGH,
  F_LOW,
  F_MAIN,
  H_PRIORITIES,
  H_TICKET,
  HAD_MAIN,
  HAD_PRIORITY,
  S_FUNCTION,
  S_TICKET,
  SLOT_LOG,
} from "../memory/layout.js";
import { asMicrotask } from "../platform/host.js";
import { type Deque, NOTHING } from "../sync/deque.js";
import { type Context, type Level, MAIN } from "./context.js";
import { appendMainJob, pushMainJobs } from "./main-jobs.js";
import { itemFor, leastItem, rankOf, slotOf } from "./rank.js";

/** Look at the submitted jobs first every so often, so that a worker's own jobs cannot starve them. */
const FAIRNESS = 61;
const STEAL_LIMIT = 64;
/** Of so many jobs found, one is of normal and one of low priority even if others wait, so that none starves: a power of two. */
const ROUND = 32;
/** In `Context.apart`: jobs were appended to the main thread's inner deque. Not one of F_APART. */
const INNER = 1;
/** Many jobs that become ready at once are published in parts, so that others can take the first before the last are found. */
export const PUBLISH_EVERY = 256;
/** From how many jobs on a stretch of submissions is a burst, and how many of its jobs are then published together. */
const BURST = 32;
const HELD = 32;

/** Appends a ready job to this thread's deque; `publishReady` shows it to others. */
export function appendReady(context: Context, slot: number): void {
  if (context.fifo) {
    if (context.me === MAIN) {
      if (context.unpublished.length === 0) asMicrotask(() => submitAll(context));
      context.unpublished.push(itemFor(context, slot));
      return;
    }
    // Gives the job its place in the order in which jobs became ready, on both threads together.
    const ticket = Atomics.add(context.memory.i32, H_TICKET, 1);
    context.memory.i32[(slot << SLOT_LOG) + S_TICKET] = ticket;
  }
  append(context, itemFor(context, slot));
}

/** Publishes what was appended, and wakes a worker if one sleeps. */
export function publishReady(context: Context): void {
  // threads: 1 – what is scheduled in one turn of the main thread's event loop is submitted together.
  if (context.fifo && context.me === MAIN) return;
  context.held = 0;
  publish(context);
}

/** Appends and publishes a job that another one has handed off and that does not run next on this thread; 0: there is none. */
export function publishHandedOff(context: Context, slot: number): void {
  if (slot === 0) return;
  appendReady(context, slot);
  publishReady(context);
}

function publish(context: Context): void {
  if (context.apart !== 0) publishApart(context);
  context.deque.publish();
  context.events.notifyOne();
}

/** Publishes what was appended elsewhere than to the normal deque. Not sooner: `schedule` relies on that (graph.ts). */
function publishApart(context: Context): void {
  const { apart } = context;
  context.apart = 0;
  if (apart & F_HIGH) context.high.own.publish();
  if (apart & F_LOW) context.low.own.publish();
  if (apart & INNER) for (const { inner } of context.highFirst) inner.publish();
  if (apart & F_MAIN) pushMainJobs(context);
}

/**
 * Makes a job that was just submitted ready. Each is published at once, but for a burst: after BURST
 * jobs in one stretch (a job, or a turn of the main thread's event loop) they are published HELD at a
 * time, since every publication waits until all that was written to the slots has left the processor.
 * The rest of a burst is published at the end of the stretch, or when the thread waits.
 */
export function submitReady(context: Context, slot: number): void {
  appendReady(context, slot);
  if (context.submitted < BURST) {
    // Also when the burst begins late in this stretch, its end is noticed.
    if (++context.submitted === BURST / 2 && context.me === MAIN && context.depth === 0)
      asMicrotask(context.endStretch);
    publishReady(context);
  } else if (++context.held === HELD) {
    publishReady(context);
  }
}

/** Ends a stretch of submissions: publishes what is held back. */
export function endStretch(context: Context): void {
  context.submitted = 0;
  if (context.held > 0) publishReady(context);
}

/** threads: 1 – submits what the main thread has scheduled; elsewhere that is done already. */
export function submitAll(context: Context): void {
  const { unpublished, memory } = context;
  if (unpublished.length === 0) return;
  // As in appendReady, for the whole batch: it stays together.
  const ticket = Atomics.add(memory.i32, H_TICKET, unpublished.length);
  for (let k = 0; k < unpublished.length; k++) {
    memory.i32[(slotOf(unpublished[k]) << SLOT_LOG) + S_TICKET] = (ticket + k) | 0;
    append(context, unpublished[k]);
  }
  unpublished.length = 0;
  publish(context);
}

function append(context: Context, item: number): void {
  // A plain read, and of this before the slot, which is dearer: who has made the job ready came after who has set it.
  if (context.memory.i32[H_PRIORITIES] !== 0) appendApart(context, item);
  else appendAt(context, context.normal, item);
}

/**
 * The main thread's deque is a queue, as its owner never pops. What its jobs make ready would be behind all that its program has
 * submitted; so that is apart, in a deque of which it pops the newest, as a worker does.
 */
function appendAt(context: Context, { own, inner }: Level, item: number): void {
  if (context.me !== MAIN || rankOf(item) === 0) {
    appendTo(own, item);
  } else {
    appendTo(inner, item);
    context.apart |= INNER;
  }
}

function appendTo(deque: Deque, item: number): void {
  if (!deque.append(item)) throw exhausted();
}

function exhausted(): Error {
  return new Error("heddle's shared memory is exhausted: no room for a larger queue; give a smaller maxJobs");
}

/** Appends a job that may be of any kind. */
function appendApart(context: Context, item: number): void {
  const slot = slotOf(item);
  const apart = context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] & F_APART;
  if (context.alone || apart & F_MAIN) {
    appendMainJob(context, item);
    context.apart |= F_MAIN;
  } else if (apart === 0) {
    appendAt(context, context.normal, item);
  } else {
    appendAt(context, apart & F_HIGH ? context.high : context.low, item);
    context.apart |= apart;
  }
}

/** Whether a job that one has made ready on this thread may run next here, before those that wait. */
export function mayHandOff(context: Context, slot: number): boolean {
  // With one worker, or none, the order is promised.
  if (context.ordered) return false;
  const { i32 } = context.memory;
  // A plain read, as in `append`: that of this job is seen, and if others' are seen late, they wait a little longer.
  const had = i32[H_PRIORITIES];
  if (had === 0) return true;
  const apart = i32[(slot << SLOT_LOG) + S_FUNCTION] & F_APART;
  if (had === HAD_MAIN) return apart === 0;
  // Only if nothing goes before it; and these count, so that a chain of them starves none.
  if (apart !== F_HIGH || inOrder(context) !== context.highFirst) return false;
  context.found++;
  return true;
}

/** Finds a ready job that may be executed here now, whose rank becomes that of the context. @returns its slot, or NOTHING */
export function findReady(context: Context): number {
  const item = context.fifo ? findOldest(context) : find(context);
  if (item === NOTHING) return NOTHING;
  context.rank = rankOf(item);
  const slot = slotOf(item);
  context.memory.reach(slot << SLOT_LOG);
  return slot;
}

function find(context: Context): number {
  // A plain read, as in `mayHandOff`. Before a thread sleeps, `nothingReady` reads it atomically.
  return (context.memory.i32[H_PRIORITIES] & HAD_PRIORITY) === 0
    ? findIn(context, context.normal)
    : findByPriority(context, findIn);
}

type Find = (context: Context, level: Level) => number;

/** Finds a job of high priority, else of normal, else of low; now and then the other way round. */
function findByPriority(context: Context, findIn: Find): number {
  for (const level of inOrder(context)) {
    const item = findIn(context, level);
    if (item === NOTHING) continue;
    // Jobs and not looks are counted: with one worker the order is the same in every run.
    context.found++;
    return item;
  }
  return NOTHING;
}

/** Which jobs are looked for first: of each ROUND, one is of normal priority and one of low, if there are any. */
function inOrder({ found, highFirst, normalFirst, lowFirst }: Context): readonly Level[] {
  const place = found & (ROUND - 1);
  if (place === ROUND - 1) return lowFirst;
  return place === ROUND / 2 - 1 ? normalFirst : highFirst;
}

function findIn(context: Context, level: Level): number {
  const { me, floor } = context;
  const { own: deque, deques, inner } = level;
  const least = leastItem(floor);
  if (me === MAIN) {
    const own = inner.pop(least);
    if (own !== NOTHING) return own;
    const submitted = deque.steal(least);
    if (submitted !== NOTHING) return submitted;
  } else if (context.depth > 0) {
    // Neither a look for fairness nor a batch: what was submitted is foreign to a job that waits.
    const own = deque.pop(least);
    if (own !== NOTHING) return own;
    const submitted = deques[MAIN].steal(least);
    if (submitted !== NOTHING) return submitted;
  } else {
    if (--context.untilFair === 0) {
      context.untilFair = FAIRNESS;
      const submitted = deques[MAIN].steal();
      if (submitted !== NOTHING) return submitted;
    }
    const own = deque.pop();
    if (own !== NOTHING) return own;
    const submitted = takeSubmitted(context, level);
    if (submitted !== NOTHING) return submitted;
  }
  for (let k = 1; k < deques.length; k++) {
    context.victim = context.victim + 1 < deques.length ? context.victim + 1 : 1;
    if (context.victim === me) continue;
    const stolen = deques[context.victim].steal(least);
    if (stolen === NOTHING) continue;
    // More may be there: one woken worker wakes the next.
    if (!deques[context.victim].empty) context.events.notifyOne();
    return stolen;
  }
  return NOTHING;
}

/** Takes a batch of what the main thread has submitted; all but the first go onto our own deque. */
function takeSubmitted(context: Context, { own, deques }: Level): number {
  const { batch } = context;
  const count = deques[MAIN].stealMany(batch, STEAL_LIMIT);
  if (count === 0) return NOTHING;
  if (count > 1) {
    prefetch(context, count);
    // Newest first, so that we pop them in the order in which they were submitted.
    for (let k = count - 1; k > 0; k--) appendTo(own, batch[k]);
    own.publish();
    context.events.notifyOne();
  }
  return batch[0];
}

/** Touches the slots of a batch, so that they come into this processor's cache all at once and not one after the other. */
function prefetch(context: Context, count: number): void {
  const { batch, memory } = context;
  let sum = 0;
  for (let k = 0; k < count; k++) {
    const address = slotOf(batch[k]) << SLOT_LOG;
    memory.reach(address);
    sum ^= memory.i32[address + S_FUNCTION];
  }
  context.prefetched = sum;
}

/** threads: 1 – the job that became ready first, on either thread. */
function findOldest(context: Context): number {
  if (context.me === MAIN) return NOTHING;
  // As in `find`.
  return (context.memory.i32[H_PRIORITIES] & HAD_PRIORITY) === 0
    ? findOldestIn(context, context.normal)
    : findByPriority(context, findOldestIn);
}

function findOldestIn(context: Context, { own, inner, deques }: Level): number {
  const { floor } = context;
  if (context.depth > 0) {
    // A job that waits runs what was scheduled last first, which is most likely its own: else a
    // fork–join would wait inside itself as deep as it is wide. The order is deterministic all the same.
    const newest = own.pop(leastItem(floor));
    if (newest !== NOTHING) return newest;
  }
  // Nor does it run what is foreign to it.
  if (floor > 0) return inner.steal(leastItem(floor));
  let oldest: Deque | undefined;
  let first = NOTHING;
  for (const deque of deques) {
    const item = deque.peek();
    if (item === NOTHING) continue;
    if (oldest !== undefined && ((ticketOf(context, item) - ticketOf(context, first)) | 0) >= 0) continue;
    oldest = deque;
    first = item;
  }
  return oldest === undefined ? NOTHING : oldest.steal();
}

function ticketOf({ memory }: Context, item: number): number {
  const address = slotOf(item) << SLOT_LOG;
  memory.reach(address);
  return memory.i32[address + S_TICKET];
}

/** Whether no job seems ready anywhere, but for those that only the main thread runs. */
export function nothingReady(context: Context): boolean {
  if (!allEmpty(context.normal)) return false;
  // Decides whether somebody may sleep: who gives a job another priority sets this before the job is published.
  const had = Atomics.load(context.memory.i32, H_PRIORITIES);
  return (had & HAD_PRIORITY) === 0 || (allEmpty(context.high) && allEmpty(context.low));
}

/** As `nothingReady`, but for what is foreign to the wait under way here. */
export function nothingToTake(context: Context): boolean {
  const { floor, normal, high, low } = context;
  if (floor === 0) return nothingReady(context);
  const least = leastItem(floor);
  if (offers(context, normal, least)) return false;
  // As in `nothingReady`.
  const had = Atomics.load(context.memory.i32, H_PRIORITIES);
  return (had & HAD_PRIORITY) === 0 || !(offers(context, high, least) || offers(context, low, least));
}

/** Whether `findIn` would find an item that is no less than `least`. */
function offers({ me }: Context, { own, inner, deques }: Level, least: number): boolean {
  if ((me === MAIN ? inner : own).newest >= least) return true;
  for (let k = 0; k < deques.length; k++) if (k !== me && deques[k].peek() >= least) return true;
  // The main thread takes what it has submitted from the other end.
  return me === MAIN && own.peek() >= least;
}

function allEmpty({ deques }: Level): boolean {
  for (const deque of deques) if (!deque.empty) return false;
  return true;
}
