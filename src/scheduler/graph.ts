/**
 * Linking jobs and scheduling graphs of them.
 *
 * An edge leads from a prerequisite to the job after it, and is in two lists: the prerequisite's
 * continuations and the job's prerequisites. The second list serves `schedule`, which also
 * schedules whatever the job depends on, and finds cycles before anything has run.
 *
 * Invariants
 *  1. S_UNMET of a job counts its edges that are not yet met; UNSCHEDULED is added until it is
 *     scheduled. Whoever brings S_UNMET to exactly 0 (and only that thread) makes the job ready.
 *  2. A prerequisite's list of continuations is closed by the exchange in finish.ts: an edge is either
 *     in the list by then, and met by the finisher, or its linker finds CLOSED and meets it itself.
 *  3. An edge's source is set to 0 before the edge is met. An edge belongs to its target and is
 *     freed with it; edges are only added while the target is unscheduled.
 *  4. Slots are released by the thread that has the handle. Where handles have crossed threads
 *     (`pinning`), whoever looks at a slot from elsewhere pins it first, then checks that it still
 *     is what it was (its generation, or an edge that still names it); the owner changes that first
 *     and then looks for pins.
 */
import {
  CLOSED,
  E_NEXT,
  E_OLDER,
  E_SOURCE,
  E_TARGET,
  F_OBSERVER,
  S_CONTINUATIONS,
  S_EDGE,
  S_FAILURE,
  S_FUNCTION,
  S_GENERATION,
  S_PINS,
  S_PREREQUISITES,
  S_UNMET,
  SLOT_LOG,
  UNSCHEDULED,
} from "../memory/layout.js";
import type { Context } from "./context.js";
import { appendReady, publishReady } from "./ready.js";

/** The outcome of `link`. */
export const LINKED = 0;
export const TOO_LATE = 1; // the job after is already scheduled
export const NO_ROOM = 2; // no shared memory for another edge

/** Publish a large graph in parts, so that workers start before all of it is scheduled. */
const PUBLISH_EVERY = 256;

/** Pins a slot that a handle from another thread names. @returns false if the handle is stale */
export function pin(context: Context, slot: number, generation: number): boolean {
  const { memory } = context;
  memory.reach(slot << SLOT_LOG);
  const address = slot << SLOT_LOG;
  // Before the check: the owner changes the generation first and then looks for pins.
  Atomics.add(memory.i32, address + S_PINS, 1);
  if (Atomics.load(memory.i32, address + S_GENERATION) === generation) return true;
  unpin(context, slot);
  return false;
}

export function unpin(context: Context, slot: number): void {
  // Lets the owner recycle the slot at its next attempt.
  Atomics.sub(context.memory.i32, (slot << SLOT_LOG) + S_PINS, 1);
}

/** Whether a job is still unscheduled. The slot is this thread's own or pinned. */
export function isUnscheduled(context: Context, slot: number): boolean {
  // Races with a `schedule` on another thread; the caller's next step settles it.
  return (Atomics.load(context.memory.i32, (slot << SLOT_LOG) + S_UNMET) & UNSCHEDULED) !== 0;
}

/** Makes `next` run after `first`. Both slots are this thread's own or pinned. */
export function link(context: Context, first: number, next: number): number {
  const { memory } = context;
  const to = next << SLOT_LOG;
  for (;;) {
    // Counts the edge unless the job is scheduled meanwhile, here or elsewhere: one of the two comes first.
    const unmet = Atomics.load(memory.i32, to + S_UNMET);
    if (!(unmet & UNSCHEDULED)) return TOO_LATE;
    if (Atomics.compareExchange(memory.i32, to + S_UNMET, unmet, unmet + 1) === unmet) break;
  }
  const edge = addPrerequisite(context, first, next);
  if (edge === 0) {
    meet(context, next);
    return NO_ROOM;
  }
  addContinuation(context, first, next, edge);
  if (context.pinning && !(Atomics.load(memory.i32, to + S_UNMET) & UNSCHEDULED)) {
    // Another thread scheduled `next` while we linked, and may not have seen the new edge: it
    // cleared UNSCHEDULED and then read the edge, we wrote the edge and then read UNSCHEDULED.
    schedule(context, first);
  }
  return LINKED;
}

/** Puts an edge into the list of `next`'s prerequisites. @returns its number, or 0 */
function addPrerequisite(context: Context, first: number, next: number): number {
  const { memory } = context;
  const list = (next << SLOT_LOG) + S_PREREQUISITES;
  // The slot's own edge goes to the first linker; others may link to this job at the same time.
  if (Atomics.compareExchange(memory.i32, list, 0, -next) === 0) {
    // Seen by a `schedule` on another thread, or that one is seen by us: see `link`.
    Atomics.store(memory.i32, (next << SLOT_LOG) + S_EDGE + E_SOURCE, first);
    return -next;
  }
  const edge = context.edges.take();
  if (edge === 0) return 0;
  const i32 = memory.i32;
  i32[edge + E_SOURCE] = first;
  i32[edge + E_TARGET] = next;
  for (;;) {
    // Publishes the edge; races with other linkers of this job.
    const older = Atomics.load(i32, list);
    i32[edge + E_OLDER] = older;
    if (Atomics.compareExchange(i32, list, older, edge) === older) return edge;
  }
}

/** Puts an edge into the list of `first`'s continuations, or meets it if `first` has finished. */
function addContinuation(context: Context, first: number, next: number, edge: number): void {
  const { memory } = context;
  const list = (first << SLOT_LOG) + S_CONTINUATIONS;
  const words = wordsOf(edge);
  for (;;) {
    // Races with other linkers and with the finisher, who closes the list (invariant 2).
    const head = Atomics.load(memory.i32, list);
    if (head === CLOSED) {
      passOn(context, first, next);
      memory.i32[words + E_SOURCE] = 0;
      meet(context, next);
      return;
    }
    memory.i32[words + E_NEXT] = head;
    if (Atomics.compareExchange(memory.i32, list, head, edge) === head) return;
  }
}

/** Where the words of an edge are. */
export function wordsOf(edge: number): number {
  return edge < 0 ? (-edge << SLOT_LOG) + S_EDGE : edge;
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

/** Marks of the depth-first search, one for each slot, and its stacks; kept for the next search. */
let marks = new Int32Array(0);
let epoch = 0;
const stack: number[] = [];
const order: number[] = [];

/**
 * Schedules a job and every unscheduled job that it depends on, in the order in which they were
 * linked. The slot is this thread's own or pinned.
 *
 * @returns the slots on a cycle, if there is one (then nothing was scheduled)
 */
export function schedule(context: Context, slot: number): number[] | undefined {
  const { memory } = context;
  const address = slot << SLOT_LOG;
  if (memory.i32[address + S_PREREQUISITES] === 0) {
    if (release(context, slot)) publishReady(context);
    return undefined;
  }
  // Scheduled before: then so is everything that it depends on.
  if (!(Atomics.load(memory.i32, address + S_UNMET) & UNSCHEDULED)) return undefined;
  const cycle = sort(context, slot);
  if (cycle === undefined) {
    let appended = 0;
    for (const each of order) {
      if (release(context, each) && ++appended % PUBLISH_EVERY === 0) publishReady(context);
    }
    if (appended % PUBLISH_EVERY !== 0) publishReady(context);
  }
  if (context.pinning) for (const each of pins) unpin(context, each);
  pins.length = 0;
  order.length = 0;
  stack.length = 0;
  return cycle;
}

/** Clears UNSCHEDULED. @returns whether the job was ready at once and was appended */
function release(context: Context, slot: number): boolean {
  // Settles which of several threads schedules the job, and whether it or the finisher of the
  // last prerequisite makes it ready.
  const before = Atomics.and(context.memory.i32, (slot << SLOT_LOG) + S_UNMET, ~UNSCHEDULED);
  if (before !== UNSCHEDULED) return false;
  appendReady(context, slot);
  return true;
}

/** Slots pinned by the present search. */
const pins: number[] = [];

/** Depth-first search for what is unscheduled: fills `order`, prerequisites first. @returns a cycle's slots */
function sort(context: Context, root: number): number[] | undefined {
  const { memory } = context;
  epoch += 2;
  if (epoch > 0x7ffffff0) {
    marks.fill(0);
    epoch = 2;
  }
  const onPath = epoch;
  const sorted = epoch + 1;
  stack.push(root);
  while (stack.length > 0) {
    const slot = stack[stack.length - 1];
    if (slot >= marks.length) marks = enlarged(marks, memory.i32.length >>> SLOT_LOG);
    if (marks[slot] === onPath || marks[slot] === sorted) {
      if (marks[slot] === onPath) order.push(slot);
      marks[slot] = sorted;
      stack.pop();
      continue;
    }
    marks[slot] = onPath;
    // Newest first, so that the oldest is on top of the stack and is scheduled first.
    let edge = memory.i32[(slot << SLOT_LOG) + S_PREREQUISITES];
    while (edge !== 0) {
      memory.reach(wordsOf(edge));
      const source = unscheduledSource(context, edge);
      if (source !== 0) {
        if (source < marks.length && marks[source] === onPath) return cycleFrom(source, onPath);
        if (source >= marks.length || marks[source] !== sorted) stack.push(source);
      }
      edge = edge < 0 ? 0 : memory.i32[edge + E_OLDER];
    }
  }
  return undefined;
}

/** The edge's prerequisite if that is unscheduled (and, where handles cross threads, now pinned), else 0. */
function unscheduledSource(context: Context, edge: number): number {
  const { memory } = context;
  const word = wordsOf(edge) + E_SOURCE;
  // Pairs with the store in addPrerequisite.
  const source = context.pinning ? Atomics.load(memory.i32, word) : memory.i32[word];
  if (source === 0) return 0;
  memory.reach(source << SLOT_LOG);
  if (context.pinning) {
    // Pin, then see that the edge is still unmet: the source is set to 0 before the slot is released.
    Atomics.add(memory.i32, (source << SLOT_LOG) + S_PINS, 1);
    if (Atomics.load(memory.i32, word) !== source) {
      unpin(context, source);
      return 0;
    }
    pins.push(source);
  }
  // May be scheduled by another thread after this; `release` settles it.
  return Atomics.load(memory.i32, (source << SLOT_LOG) + S_UNMET) & UNSCHEDULED ? source : 0;
}

/** The jobs on the path of the search from `start` on: each stands last on the stack where it was visited. */
function cycleFrom(start: number, onPath: number): number[] {
  const path = new Set<number>();
  for (let k = stack.length - 1; k >= 0; k--) {
    if (marks[stack[k]] === onPath) path.add(stack[k]);
    if (stack[k] === start && marks[start] === onPath) break;
  }
  return [...path].reverse();
}

function enlarged(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
