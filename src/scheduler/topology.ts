/** Depth-first search of what is to be scheduled: the order, or a cycle. */
import { E_SOURCE, EDGE_MASK, S_PREREQUISITES, SLOT_LOG } from "../memory/layout.js";
import type { Context } from "./context.js";
import { enlarged } from "./enlarged.js";
import { isUnscheduled, olderThan, pinnedSource, unpin, wordsOf } from "./graph.js";

/** Marks of the search, one for each slot, and its stacks; kept for the next search. */
let marks = new Int32Array(0);
let epoch = 0;
const stack: number[] = [];
const order: number[] = [];
/** Slots pinned by the present search. */
const pins: number[] = [];

/**
 * Finds the unscheduled jobs that `root` depends on.
 *
 * @param use called with them, each after its prerequisites, and `root` last; while they are pinned
 * @returns the slots on a cycle, if there is one (then `use` was not called)
 */
export function topologicalOrder(
  context: Context,
  root: number,
  use: (order: readonly number[]) => void,
): number[] | undefined {
  try {
    const cycle = search(context, root);
    if (cycle === undefined) use(order);
    return cycle;
  } finally {
    for (const each of pins) unpin(context, each);
    pins.length = 0;
    order.length = 0;
    stack.length = 0;
  }
}

/** Fills `order`. @returns a cycle's slots */
function search(context: Context, root: number): number[] | undefined {
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
    // With `pinning`, other threads may add edges meanwhile: `seal` looks again. Newest first, so that
    // the oldest is on top of the stack and is scheduled first.
    let edge = Atomics.load(memory.i32, (slot << SLOT_LOG) + S_PREREQUISITES) & EDGE_MASK;
    while (edge !== 0) {
      const words = wordsOf(edge);
      memory.reach(words);
      const source = unscheduledSource(context, words);
      if (source !== 0) {
        if (source < marks.length && marks[source] === onPath) return cycleFrom(source, onPath);
        if (source >= marks.length || marks[source] !== sorted) stack.push(source);
      }
      edge = olderThan(memory.i32, edge, words);
    }
  }
  return undefined;
}

/** An edge's prerequisite if that is unscheduled (and, where handles cross threads, now pinned), else 0. */
function unscheduledSource(context: Context, words: number): number {
  const { memory } = context;
  if (!context.pinning) {
    const source = memory.i32[words + E_SOURCE];
    return source !== 0 && isUnscheduled(context, source) ? source : 0;
  }
  const source = pinnedSource(context, words);
  if (source === 0) return 0;
  pins.push(source);
  // May be scheduled by another thread after this; `seal` settles it.
  return isUnscheduled(context, source) ? source : 0;
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
