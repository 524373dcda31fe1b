/**
 * Linking jobs and scheduling graphs of them.
 *
 * An edge leads from a prerequisite to the job after it, and is in two lists: the prerequisite's
 * continuations and the job's prerequisites. The second list serves `schedule`, which also
 * schedules whatever the job depends on, and finds cycles before anything has run.
 *
 * Invariants
 *  1. A job is scheduled by sealing its list of prerequisites, which happens once; edges are only
 *     added to an unsealed list, and belong to their target: they are freed with it.
 *  2. S_UNMET falls by one for each prerequisite that is met, and rises by their number when the job
 *     has been sealed. Whoever brings it to exactly 0 after that (and only that thread) makes the job ready.
 *     A job marked SINGLE is made ready by the finisher of its one prerequisite, and counts nothing.
 *  3. A prerequisite's list of continuations is closed by its finisher (finish.ts): an edge is either
 *     in the list by then, and met by the finisher, or its linker finds it closed and meets it itself.
 *  4. An edge's source is set to 0 before the edge is met, unless the target is SINGLE, which nobody
 *     searches any more.
 *  5. Slots are released by the thread that has the handle. Until handles have crossed threads
 *     (`pinning`), only that thread looks at the slots of its unscheduled jobs, with plain reads and writes;
 *     what it wrote is published with the job, by the deque or by S_UNMET. After that, whoever looks at
 *     a slot from elsewhere pins it first, then checks that it still is what it was (its generation, or
 *     an edge that still names it); the owner changes that first and then looks for pins.
 */
import {
  AWAITED,
  B_PINNING,
  E_NEXT,
  E_OLDER,
  E_SOURCE,
  E_TARGET,
  EDGE_LOG,
  EDGE_MASK,
  F_OBSERVER,
  OWN_EDGE,
  S_CONTINUATIONS,
  S_EDGE,
  S_FAILURE,
  S_FUNCTION,
  S_GENERATION,
  S_OWNER,
  S_PINS,
  S_PREREQUISITES,
  S_UNMET,
  SEALED,
  SINGLE,
  SLOT_LOG,
  slotIndex,
} from "../memory/layout.js";
import type { Context } from "./context.js";
import { enlarged } from "./enlarged.js";
import { Frontier } from "./frontier.js";
import { appendReady, PUBLISH_EVERY, publishReady } from "./ready.js";
import { topologicalOrder } from "./topology.js";

/** The outcome of `link`. */
export const LINKED = 0;
export const TOO_LATE = 1; // the job after is already scheduled
export const NO_ROOM = 2; // no shared memory for another edge

/** Pins a slot that a handle from another thread names. @returns false if the handle is stale */
export function pin(context: Context, slot: number, generation: number): boolean {
  const { memory } = context;
  memory.reach(slot << SLOT_LOG);
  const address = slot << SLOT_LOG;
  memory.i32[context.block + B_PINNING]++;
  // Before the check: the owner changes the generation first and then looks for pins.
  Atomics.add(memory.i32, address + S_PINS, 1);
  if (Atomics.load(memory.i32, address + S_GENERATION) === generation) return true;
  unpin(context, slot);
  return false;
}

export function unpin(context: Context, slot: number): void {
  // Lets the owner recycle the slot at its next attempt.
  Atomics.sub(context.memory.i32, (slot << SLOT_LOG) + S_PINS, 1);
  context.memory.i32[context.block + B_PINNING]--;
}

/** Whether a job is still unscheduled. The slot is this thread's own or pinned. */
export function isUnscheduled(context: Context, slot: number): boolean {
  const word = (slot << SLOT_LOG) + S_PREREQUISITES;
  const { i32 } = context.memory;
  // With `pinning`, races with a `schedule` on another thread; the caller's next step settles it.
  return ((context.pinning ? Atomics.load(i32, word) : i32[word]) & SEALED) === 0;
}

/** Makes `next` run after `first`. Both slots are this thread's own or pinned. */
export function link(context: Context, first: number, next: number): number {
  if (!isUnscheduled(context, next)) return TOO_LATE;
  if (!context.pinning) noteCycle(context, first, next);
  const address = context.edges.take();
  if (address === 0) return NO_ROOM;
  const { i32 } = context.memory;
  i32[address + E_SOURCE] = first;
  i32[address + E_TARGET] = next;
  if (!addPrerequisite(context, next, address)) {
    context.edges.give(address);
    return TOO_LATE;
  }
  addContinuation(context, first, next, address >>> EDGE_LOG, address);
  return LINKED;
}

/**
 * As `link`, for two jobs of this thread while no handles have crossed threads (invariant 5).
 *
 * @returns false if one of them is scheduled, or there is no memory; then nothing was done
 */
export function linkUnscheduled(context: Context, first: number, next: number): boolean {
  const { i32 } = context.memory;
  const from = first << SLOT_LOG;
  const to = next << SLOT_LOG;
  const before = i32[from + S_PREREQUISITES];
  const newest = i32[to + S_PREREQUISITES];
  if ((before | newest) & SEALED) return false;
  const head = i32[from + S_CONTINUATIONS];
  let edge = OWN_EDGE | next;
  let words = to + S_EDGE;
  if (newest !== 0) {
    words = context.edges.take();
    if (words === 0) return false;
    edge = words >>> EDGE_LOG;
    context.memory.i32[words + E_TARGET] = next;
    context.memory.i32[words + E_OLDER] = newest;
  }
  const now = context.memory.i32;
  now[words + E_SOURCE] = first;
  now[words + E_NEXT] = head;
  now[to + S_PREREQUISITES] = edge;
  now[from + S_CONTINUATIONS] = edge;
  if ((now[to + S_CONTINUATIONS] !== 0 && before !== 0) || first === next) context.cyclesPossible = true;
  return true;
}

/**
 * Notes when a link may close a cycle, so that `schedule` searches for one. It can only if something
 * already follows `next` and something already precedes `first`, which is not so while a graph is
 * built from its beginning or from its end.
 */
function noteCycle(context: Context, first: number, next: number): void {
  const { i32 } = context.memory;
  const follows = (i32[(next << SLOT_LOG) + S_CONTINUATIONS] & EDGE_MASK) !== 0;
  const before = i32[(first << SLOT_LOG) + S_PREREQUISITES];
  const precedes = (before & SEALED) === 0 && (before & EDGE_MASK) !== 0;
  if ((follows && precedes) || first === next) context.cyclesPossible = true;
}

/** Puts an edge into the list of `next`'s prerequisites. @returns false if that is sealed */
function addPrerequisite(context: Context, next: number, address: number): boolean {
  const { i32 } = context.memory;
  const list = (next << SLOT_LOG) + S_PREREQUISITES;
  if (!context.pinning) {
    i32[address + E_OLDER] = i32[list];
    i32[list] = address >>> EDGE_LOG;
    return true;
  }
  for (;;) {
    // Publishes the edge; races with other linkers of this job, and with who seals the list.
    const older = Atomics.load(i32, list);
    if (older & SEALED) return false;
    i32[address + E_OLDER] = older;
    if (Atomics.compareExchange(i32, list, older, address >>> EDGE_LOG) === older) return true;
  }
}

/** Puts an edge into the list of `first`'s continuations, or meets it if `first` has finished. */
function addContinuation(context: Context, first: number, next: number, edge: number, words: number): void {
  const { i32 } = context.memory;
  const list = (first << SLOT_LOG) + S_CONTINUATIONS;
  if (!context.pinning && (i32[(first << SLOT_LOG) + S_PREREQUISITES] & SEALED) === 0) {
    // Nobody else knows of `first` yet (invariant 5).
    i32[words + E_NEXT] = i32[list];
    i32[list] = edge;
    return;
  }
  for (;;) {
    // Races with other linkers and with the finisher, who closes the list (invariant 3).
    const head = Atomics.load(i32, list);
    if (head < 0) {
      passOn(context, first, next);
      i32[words + E_SOURCE] = 0;
      meet(context, next);
      return;
    }
    i32[words + E_NEXT] = head & EDGE_MASK;
    if (Atomics.compareExchange(i32, list, head, edge | (head & AWAITED)) === head) return;
  }
}

/** Where the words of an edge are. */
export function wordsOf(edge: number): number {
  return edge & OWN_EDGE ? ((edge ^ OWN_EDGE) << SLOT_LOG) + S_EDGE : edge << EDGE_LOG;
}

/** The next older edge in a list of prerequisites, or 0; `words` is where the edge is. */
export function olderThan(i32: Int32Array, edge: number, words: number): number {
  return edge & OWN_EDGE ? 0 : i32[words + E_OLDER];
}

/** Gives the job `next` what it must know of its finished prerequisite. */
export function passOn(context: Context, first: number, next: number): void {
  const { memory, runner } = context;
  if (memory.i32[(next << SLOT_LOG) + S_FUNCTION] & F_OBSERVER) runner.copyOutcome(first, next);
  else if (memory.i32[(first << SLOT_LOG) + S_FAILURE] !== 0) runner.taint(next, first);
}

/** Counts one prerequisite of `slot` as met, and makes it ready if that was the last. */
function meet(context: Context, slot: number): void {
  // Settles which thread makes the job ready: the one that brings the count to 0.
  if (Atomics.sub(context.memory.i32, (slot << SLOT_LOG) + S_UNMET, 1) !== 1) return;
  appendReady(context, slot);
  publishReady(context);
}

/** What `schedule` has still to visit: with one worker, whose order is promised, the oldest link first. */
const stack: number[] = [];
const frontier = new Frontier();
/** In which call of `schedule` each slot's job was last sealed, and whether any job that it has sealed may have started. */
let sealedIn = new Int32Array(4096);
let call = 0;
let published = false;

/**
 * Schedules a job and every unscheduled job that it depends on; with one worker in the order in which they were
 * linked. The slot is this thread's own or pinned.
 *
 * @returns the slots on a cycle, if there is one (then nothing was scheduled)
 */
export function schedule(context: Context, slot: number): number[] | undefined {
  if (!isUnscheduled(context, slot)) return undefined;
  if (context.pinning || context.cyclesPossible) return scheduleSearched(context, slot);
  try {
    walk(context, slot);
  } catch (error) {
    // The next walk starts afresh.
    stack.length = 0;
    while (frontier.pop() !== 0);
    throw error;
  }
  return undefined;
}

/** Schedules what `slot` depends on, and the job itself. @throws Error when there is no memory for a larger queue */
function walk(context: Context, slot: number): void {
  const { i32 } = context.memory;
  let appended = 0;
  call = (call + 1) | 0;
  published = false;
  for (let job = slot; job !== 0; ) {
    const word = (job << SLOT_LOG) + S_PREREQUISITES;
    const before = i32[word];
    let next = 0;
    if ((before & SEALED) === 0) {
      i32[word] = before | SEALED;
      const index = slotIndex(job);
      if (index >= sealedIn.length) sealedIn = enlarged(sealedIn, 2 * index);
      sealedIn[index] = call;
      // Only jobs of this thread, as long as no handles have come from others.
      context.outstanding.add(job);
      if (before !== 0) next = descend(context, job, before);
      if (next === 0 && (before === 0 || nowReady)) {
        appendReady(context, job);
        if (++appended % PUBLISH_EVERY === 0) {
          publishReady(context);
          published = true;
        }
      }
    }
    job = nextToVisit(context, next);
  }
  if (appended % PUBLISH_EVERY !== 0) publishReady(context);
}

function visitLater(context: Context, job: number): void {
  if (context.ordered) stack.push(job);
  else frontier.push(job);
}

/** What `schedule` goes on with when `descend` has found `next`, or 0. */
function nextToVisit(context: Context, next: number): number {
  if (context.ordered) return next !== 0 ? next : (stack.pop() ?? 0);
  if (next === 0) return frontier.pop();
  if (frontier.empty) return next;
  frontier.push(next);
  return frontier.pop();
}

/** Whether the job that `descend` was called for is ready. */
let nowReady = false;

/**
 * Counts the prerequisites of a job that was just sealed.
 *
 * @returns the oldest that is unscheduled, or 0; the others are put where the walk finds them
 */
function descend(context: Context, job: number, newest: number): number {
  const { i32 } = context.memory;
  let count = 0;
  let noneStarted = true;
  let next = 0;
  // Newest first, so that the oldest is gone on with.
  for (let edge = newest; edge !== 0; count++) {
    const words = wordsOf(edge);
    const source = i32[words + E_SOURCE];
    if (source === 0) noneStarted = false;
    else if ((i32[(source << SLOT_LOG) + S_PREREQUISITES] & SEALED) === 0) {
      if (next !== 0) visitLater(context, next);
      next = source;
    } else if (published || sealedIn[slotIndex(source)] !== call) noneStarted = false;
    edge = olderThan(i32, edge, words);
  }
  nowReady = false;
  if (!noneStarted) {
    nowReady = countAll(context, job, count);
    // It may start as soon as what it waits for has finished, and so may what the walk has yet to find before it.
    published = true;
  }
  // None of them can finish before this thread has published what is written here.
  else if (newest & OWN_EDGE) i32[(job << SLOT_LOG) + S_PREREQUISITES] = newest | SEALED | SINGLE;
  else i32[(job << SLOT_LOG) + S_UNMET] = count;
  return next;
}

/** Adds the number of prerequisites of a sealed job. @returns whether they are all met */
function countAll(context: Context, job: number, count: number): boolean {
  // Settles whether this thread makes the job ready or the finisher of its last prerequisite.
  return Atomics.add(context.memory.i32, (job << SLOT_LOG) + S_UNMET, count) === -count;
}

/** As `schedule`, where there may be a cycle or other threads may link and schedule the same jobs. */
function scheduleSearched(context: Context, slot: number): number[] | undefined {
  const late: number[] = [];
  const cycle = topologicalOrder(context, slot, (order) => {
    let appended = 0;
    for (const each of order) {
      if (seal(context, each, late) && ++appended % PUBLISH_EVERY === 0) publishReady(context);
    }
    if (appended % PUBLISH_EVERY !== 0) publishReady(context);
  });
  // Linked by other threads after the search and before the sealing.
  for (const each of late) schedule(context, each);
  for (const each of late) unpin(context, each);
  return cycle;
}

/** Seals a job. @returns whether it was ready at once and was appended */
function seal(context: Context, job: number, late: number[]): boolean {
  const { memory } = context;
  // Settles which of several threads schedules the job; no edge is added after it.
  const before = Atomics.or(memory.i32, (job << SLOT_LOG) + S_PREREQUISITES, SEALED);
  if (before & SEALED) return false;
  const address = job << SLOT_LOG;
  if (memory.i32[address + S_OWNER] === context.me) context.outstanding.add(job);
  // Its owner does not know that it is scheduled, so it has to be told of its end.
  else Atomics.or(memory.i32, address + S_CONTINUATIONS, AWAITED);
  let count = 0;
  for (let edge = before; edge !== 0; count++) {
    const words = wordsOf(edge);
    memory.reach(words);
    if (context.pinning) {
      const source = pinnedSource(context, words);
      if (source !== 0 && isUnscheduled(context, source)) late.push(source);
      else if (source !== 0) unpin(context, source);
    }
    edge = olderThan(memory.i32, edge, words);
  }
  if (count > 0 && !countAll(context, job, count)) return false;
  appendReady(context, job);
  return true;
}

/** The prerequisite of an edge, pinned; or 0 when it is met. */
export function pinnedSource(context: Context, words: number): number {
  const { memory } = context;
  // Pairs with the compare-exchange that published the edge.
  const source = Atomics.load(memory.i32, words + E_SOURCE);
  if (source === 0) return 0;
  memory.reach(source << SLOT_LOG);
  memory.i32[context.block + B_PINNING]++;
  // Pin, then see that the edge is still unmet: the source is set to 0 before the slot is released.
  Atomics.add(memory.i32, (source << SLOT_LOG) + S_PINS, 1);
  if (Atomics.load(memory.i32, words + E_SOURCE) === source) return source;
  unpin(context, source);
  return 0;
}
