/**
 * Waits that can never end: a job waits for itself, or for one that is to run after it.
 *
 * While a thread waits inside jobs, these are on its stack and finish only after the wait. So what is one of them, or
 * comes after one of them, does not settle before. All that comes after an unfinished job is itself unfinished: no slot
 * that the search meets can be released meanwhile, and lists of continuations only gain edges, at their heads.
 */
import {
  E_NEXT,
  E_TARGET,
  EDGE_MASK,
  F_GROUP,
  OWN_EDGE,
  S_CONTINUATIONS,
  S_FUNCTION,
  SLOT_LOG,
} from "../memory/layout.js";
import type { Context } from "./context.js";
import { wordsOf } from "./graph.js";

/** How many edges a search follows; in larger graphs such a wait is not recognised. */
const MOST_EDGES = 10_000;

/** The job on this thread's stack that the job `target` (0: no job) cannot finish before; or 0, if none is found. */
export function waitsForItself(context: Context, target: number): number {
  if (target === 0) return 0;
  for (const slot of context.waiting) {
    if (slot === target || comesAfter(context, slot, target)) return slot;
  }
  return 0;
}

function comesAfter(context: Context, first: number, target: number): boolean {
  const { memory } = context;
  // Nothing comes after a job of a group.
  if (memory.i32[(first << SLOT_LOG) + S_FUNCTION] & F_GROUP) return false;
  const found = [first];
  const seen = new Set(found);
  let edges = 0;
  for (let slot = found.pop(); slot !== undefined; slot = found.pop()) {
    // Pairs with the compare-exchange of whoever has linked a job after it: the edge is complete.
    const head = Atomics.load(memory.i32, (slot << SLOT_LOG) + S_CONTINUATIONS);
    for (let edge = head < 0 ? 0 : head & EDGE_MASK; edge !== 0; ) {
      const words = wordsOf(edge);
      memory.reach(words);
      const next = edge & OWN_EDGE ? edge ^ OWN_EDGE : memory.i32[words + E_TARGET];
      memory.reach(next << SLOT_LOG);
      if (next === target) return true;
      if (++edges > MOST_EDGES) return false;
      if (!seen.has(next)) {
        seen.add(next);
        found.push(next);
      }
      edge = memory.i32[words + E_NEXT];
    }
  }
  return false;
}
