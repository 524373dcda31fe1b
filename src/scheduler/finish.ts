/** Executing a job, and what follows when it has finished. */
import {
  B_FINISHED,
  CANCELLING,
  CLOSED,
  E_NEXT,
  E_SOURCE,
  E_TARGET,
  F_GROUP,
  F_OBSERVER,
  H_STATE,
  S_CONTINUATIONS,
  S_FAILURE,
  S_FUNCTION,
  S_LINK,
  S_OWNER,
  S_UNMET,
  SLOT_LOG,
} from "../memory/layout.js";
import type { Context } from "./context.js";
import { passOn, wordsOf } from "./graph.js";
import { countGroupJob, flushGroup } from "./group.js";
import { appendReady, endStretch, publishReady } from "./ready.js";
import { releaseGroupSlot } from "./slots.js";

/**
 * Executes a ready job and finishes it.
 *
 * @returns a job that this one has made ready and that the caller is to execute next (hand-off), or 0
 */
export function execute(context: Context, slot: number): number {
  const { memory, runner } = context;
  const address = slot << SLOT_LOG;
  const header = memory.i32[address + S_FUNCTION];
  const group = header & F_GROUP ? memory.i32[address + S_OWNER] : 0;
  if (context.countedGroup !== group) flushGroup(context);
  // A plain read: whoever sees a forced shutdown late runs one job more.
  if (memory.i32[H_STATE] === CANCELLING && !(header & F_OBSERVER)) {
    runner.drop(slot);
    runner.cancel(slot);
  } else if (group === 0 && memory.i32[address + S_FAILURE] !== 0) {
    if (!(header & F_OBSERVER)) runner.drop(slot);
  } else if (!(header & F_OBSERVER)) {
    runner.run(slot);
    if (context.submitted > 0) endStretch(context);
  }
  if (group === 0) return finish(context, slot);
  countGroupJob(context, group, memory.i32[address + S_FAILURE]);
  releaseGroupSlot(context, slot);
  return 0;
}

/** Executes a job and all that is handed off from it. */
export function executeAll(context: Context, slot: number): void {
  let next = slot;
  while (next !== 0) next = execute(context, next);
}

function finish(context: Context, slot: number): number {
  const { memory } = context;
  const address = slot << SLOT_LOG;
  let next = 0;
  let appended = false;
  // Closes the list: a linker on any thread either is in it or finds it closed.
  let edge = Atomics.exchange(memory.i32, address + S_CONTINUATIONS, CLOSED);
  if (edge !== 0) edge = oldestFirst(context, edge);
  while (edge !== 0) {
    const words = wordsOf(edge);
    const target = edge < 0 ? -edge : memory.i32[words + E_TARGET];
    const following = memory.i32[words + E_NEXT];
    memory.reach(target << SLOT_LOG);
    passOn(context, slot, target);
    memory.i32[words + E_SOURCE] = 0;
    // Settles which thread makes the target ready: the one that meets its last prerequisite. Also
    // publishes what this job has written to the target's threads; after it the edge is not ours.
    if (Atomics.sub(memory.i32, (target << SLOT_LOG) + S_UNMET, 1) === 1) {
      if (next === 0 && !context.fifo) {
        next = target;
      } else {
        appendReady(context, target);
        appended = true;
      }
    }
    edge = following;
  }
  if (appended) publishReady(context);
  tellOwner(context, slot);
  return next;
}

/** Reverses a closed list of continuations, so that they become ready in the order in which they were linked. */
function oldestFirst(context: Context, newest: number): number {
  const { memory } = context;
  let edge = newest;
  let reversed = 0;
  while (edge !== 0) {
    const words = wordsOf(edge);
    memory.reach(words);
    const older = memory.i32[words + E_NEXT];
    memory.i32[words + E_NEXT] = reversed;
    reversed = edge;
    edge = older;
  }
  return reversed;
}

/** Lets the thread that has the handle take over the outcome. */
function tellOwner(context: Context, slot: number): void {
  const { memory, me, events } = context;
  const address = slot << SLOT_LOG;
  const owner = memory.i32[address + S_OWNER];
  if (owner === me) {
    context.runner.deliver(slot);
    return;
  }
  const failed = memory.i32[address + S_FAILURE] !== 0;
  const list = memory.layout.blockOf(owner) + B_FINISHED;
  for (;;) {
    // Pushes onto the owner's stack; races with other finishers. The owner takes the whole stack at
    // once, so a head that comes back in between (ABA) does no harm: the link is still right.
    const head = Atomics.load(memory.i32, list);
    memory.i32[address + S_LINK] = head;
    if (Atomics.compareExchange(memory.i32, list, head, slot) === head) break;
  }
  events.notify(owner, failed);
}

/** Takes over the outcomes of this thread's jobs that others have finished. */
export function drainFinished(context: Context): void {
  const { memory, runner } = context;
  const list = context.block + B_FINISHED;
  // Usually empty, and a load is cheaper than an exchange. What is pushed after it comes with a notify.
  if (Atomics.load(memory.i32, list) === 0) return;
  // Takes the whole stack against finishers that push.
  let slot = Atomics.exchange(memory.i32, list, 0);
  let oldest = 0;
  while (slot !== 0) {
    memory.reach(slot << SLOT_LOG);
    const older = memory.i32[(slot << SLOT_LOG) + S_LINK];
    memory.i32[(slot << SLOT_LOG) + S_LINK] = oldest;
    oldest = slot;
    slot = older;
  }
  while (oldest !== 0) {
    const following = memory.i32[(oldest << SLOT_LOG) + S_LINK];
    runner.deliver(oldest);
    oldest = following;
  }
}
