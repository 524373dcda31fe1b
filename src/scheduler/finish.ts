/** Executing a job, and what follows when it has finished. */
import {
  AWAITED,
  B_FINISHED,
  CANCELLING,
  CLOSED,
  CLOSING,
  E_NEXT,
  E_SOURCE,
  E_TARGET,
  EDGE_MASK,
  F_ASYNC,
  F_CONTROLLED,
  F_GROUP,
  F_OBSERVER,
  H_STATE,
  HELD,
  OWN_EDGE,
  S_CONTINUATIONS,
  S_EDGE,
  S_FAILURE,
  S_FUNCTION,
  S_LINK,
  S_OWNER,
  S_PREREQUISITES,
  S_UNMET,
  SINGLE,
  SLOT_LOG,
} from "../memory/layout.js";
import { receivesAtOnce } from "../platform/host.js";
import { mayBegin, postpone, unsuspend } from "./asynchronous.js";
import type { Context } from "./context.js";
import { executeControlled } from "./controlled.js";
import { passOn, wordsOf } from "./graph.js";
import { countGroupJob, flushGroup } from "./group.js";
import { MOST_RANK, rankWithin } from "./rank.js";
import {
  appendReady,
  endStretch,
  mayHandOff,
  PUBLISH_EVERY,
  publishHandedOff,
  publishReady,
  submitAll,
} from "./ready.js";
import { releaseGroupSlot, unpinned } from "./slots.js";

/**
 * Executes a ready job, whose rank is that of the context, and finishes it.
 *
 * @returns a job that this one has made ready and that the caller is to execute next (hand-off), or 0
 */
export function execute(context: Context, slot: number): number {
  const { runner } = context;
  const address = slot << SLOT_LOG;
  const { i32 } = context.memory;
  const header = i32[address + S_FUNCTION];
  i32[address + S_UNMET] = HELD | context.me;
  const group = header & F_GROUP ? i32[address + S_OWNER] : 0;
  if (context.countedGroup !== group) flushGroup(context);
  if (header & F_CONTROLLED) return executeControlled(context, slot, header);
  // A plain read: whoever sees a forced shutdown late runs one job more.
  if (i32[H_STATE] >= CANCELLING && !(header & F_OBSERVER)) {
    runner.drop(slot);
    runner.cancel(slot);
  } else if (group === 0 && i32[address + S_FAILURE] !== 0) {
    if (!(header & F_OBSERVER)) runner.drop(slot);
  } else if ((header & F_ASYNC || !receivesAtOnce) && !mayBegin(context, slot, header)) {
    postpone(context, slot, header);
    return 0;
  } else if (!(header & F_OBSERVER)) {
    if (runRanked(context, slot, header)) return 0;
  }
  const failure = context.memory.i32[address + S_FAILURE];
  if (group === 0) return failure === 0 ? finish(context, slot) : finishWhole(context, slot);
  countGroupJob(context, group, failure);
  releaseGroupSlot(context, slot);
  return 0;
}

/** Has a job run, and what it makes ready has the rank after its own. @returns as `Runner.run` */
export function runRanked(context: Context, slot: number, header: number): boolean {
  const { rank } = context;
  context.running = slot;
  context.rank = rankWithin(rank);
  const over = context.runner.run(slot, header);
  if (context.submitted > 0) endStretch(context);
  context.rank = rank;
  return over;
}

/** Finishes a job that was suspended, from its thread's event loop. */
export function finishSuspended(context: Context, slot: number): void {
  const { i32 } = context.memory;
  const address = slot << SLOT_LOG;
  const failure = i32[address + S_FAILURE];
  if (i32[address + S_FUNCTION] & F_GROUP) {
    countGroupJob(context, i32[address + S_OWNER], failure);
    releaseGroupSlot(context, slot);
    flushGroup(context);
  } else {
    publishHandedOff(context, failure === 0 ? finish(context, slot) : finishWhole(context, slot));
  }
  endStretch(context);
  // threads: 1 – before the main thread counts it as finished, what follows is to be there.
  submitAll(context);
  unsuspend(context);
}

/** As `finishSuspended`, for a job whose time was over before: somebody else has finished it. */
export function dropSuspended(context: Context): void {
  endStretch(context);
  unsuspend(context);
}

/** Executes a job and all that is handed off from it. */
export function executeAll(context: Context, slot: number): void {
  let next = slot;
  while (next !== 0) next = execute(context, next);
}

/** Finishes a job that has not failed. Most have no continuation, or one that waits for nothing else. */
export function finish(context: Context, slot: number): number {
  const { i32 } = context.memory;
  const word = (slot << SLOT_LOG) + S_CONTINUATIONS;
  const own = i32[(slot << SLOT_LOG) + S_OWNER] === context.me;
  // May be old: the compare-exchange finds that out.
  const head = i32[word];
  const target = head === 0 ? 0 : onlyTarget(context, head);
  // Closes the list: a linker on any thread either is in it or finds it closed. Publishes the result to
  // the owner, who may reuse the slot from now on.
  if (target < 0 || Atomics.compareExchange(i32, word, head, CLOSED) !== head) {
    return finishWhole(context, slot);
  }
  if (own) context.runner.deliver(slot);
  if (target === 0 || mayHandOff(context, target)) return target;
  appendReady(context, target);
  publishReady(context);
  return 0;
}

/**
 * The only job that follows, where that waits for nothing else (SINGLE, which was written before this
 * job was published), so that nothing has to be counted; else -1.
 */
function onlyTarget(context: Context, head: number): number {
  if ((head & ~EDGE_MASK) !== 0 || (head & OWN_EDGE) === 0) return -1;
  const { memory } = context;
  const target = head ^ OWN_EDGE;
  const address = target << SLOT_LOG;
  memory.reach(address);
  if ((memory.i32[address + S_PREREQUISITES] & SINGLE) === 0) return -1;
  return memory.i32[address + S_EDGE + E_NEXT] === 0 ? target : -1;
}

/** Finishes a job with all that may follow it. */
export function finishWhole(context: Context, slot: number): number {
  const { memory } = context;
  const address = slot << SLOT_LOG;
  let next = 0;
  let appended = 0;
  // Closes the list against linkers. The owner leaves the slot alone until we are done with it.
  const before = Atomics.exchange(memory.i32, address + S_CONTINUATIONS, CLOSING);
  // With one worker, or none, jobs become ready in the order in which they were linked; else the order is nobody's concern.
  let edge = context.ordered ? oldestFirst(context, before & EDGE_MASK) : before & EDGE_MASK;
  while (edge !== 0) {
    const words = wordsOf(edge);
    memory.reach(words);
    const target = edge & OWN_EDGE ? edge ^ OWN_EDGE : memory.i32[words + E_TARGET];
    const following = memory.i32[words + E_NEXT];
    memory.reach(target << SLOT_LOG);
    passOn(context, slot, target);
    if (meets(context, target, words)) {
      if (next === 0 && mayHandOff(context, target)) {
        next = target;
      } else {
        appendReady(context, target);
        if (++appended % PUBLISH_EVERY === 0) publishReady(context);
      }
    }
    edge = following;
  }
  if (appended % PUBLISH_EVERY !== 0) publishReady(context);
  const tell = (before & AWAITED) !== 0 || memory.i32[address + S_FAILURE] !== 0;
  if (tell || memory.i32[address + S_OWNER] === context.me) tellOwner(context, slot);
  // Gives the slot to the owner, who looks at this word when it wants to know; or who has asked meanwhile to be told.
  else if (Atomics.compareExchange(memory.i32, address + S_CONTINUATIONS, CLOSING, CLOSED) !== CLOSING) {
    tellOwner(context, slot);
  }
  return next;
}

/** Finishes a job that no function of it has finished here: any wait may take what follows, as it is not known which one depends on it. */
export function finishForAnyone(context: Context, slot: number): void {
  const { rank } = context;
  context.rank = MOST_RANK;
  publishHandedOff(context, finishWhole(context, slot));
  context.rank = rank;
}

/** Meets an edge. @returns whether the target is ready now; after that the edge is not ours */
function meets(context: Context, target: number, words: number): boolean {
  const { i32 } = context.memory;
  const address = target << SLOT_LOG;
  if (i32[address + S_PREREQUISITES] & SINGLE) return true;
  i32[words + E_SOURCE] = 0;
  // Settles which thread makes the target ready: the one that meets its last prerequisite. Also
  // publishes what this job has written to the target's threads.
  return Atomics.sub(i32, address + S_UNMET, 1) === 1;
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
export function tellOwner(context: Context, slot: number): void {
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

/**
 * Takes over the outcomes of this thread's jobs that others have finished and told it of.
 *
 * @param most how many at the most; the rest stays in `context.toDeliver`
 */
export function drainFinished(context: Context, most = ALL): void {
  const { memory, runner, undelivered } = context;
  for (let k = undelivered.length; k > 0; k--) {
    const slot = undelivered.shift() as number;
    // Retired once more by `deliver`: a handle may have been sent since the first time.
    if (unpinned(context, slot)) runner.deliver(slot);
    else undelivered.push(slot);
  }
  const left = deliverSome(context, most);
  const list = context.block + B_FINISHED;
  // Usually empty, and a load is cheaper than an exchange. What is pushed after it comes with a notify.
  if (left === 0 || Atomics.load(memory.i32, list) === 0) return;
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
  context.toDeliver = oldest;
  deliverSome(context, left);
}

const ALL = 2 ** 30;

/** Delivers up to `most` jobs that were taken from the stack, the oldest first. @returns how many fewer than that they were */
function deliverSome(context: Context, most: number): number {
  let left = most;
  for (; context.toDeliver !== 0 && left > 0; left--) {
    const slot = context.toDeliver;
    context.toDeliver = context.memory.i32[(slot << SLOT_LOG) + S_LINK];
    context.runner.deliver(slot);
  }
  return left;
}
