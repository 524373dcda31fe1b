/**
 * Recovery: after workers have died, the main thread puts right what they had in hand, so that every job still
 * settles once. A thread may die at any point, also half-way through any step of the scheduler.
 *
 * All other threads are paused first: each is seen outside the scheduler, and stops when it next enters it. Then nothing
 * but the dead thread's last step is half done, nobody changes anything, and what must be true can be worked out afresh:
 *
 *  1. A slot holds a job exactly if its S_FUNCTION is not 0.
 *  2. What still precedes a job are the edges to it in the lists of continuations that are not closed. So S_UNMET is
 *     counted anew, and an edge in no such list is met; what a finisher had to pass on is passed on again.
 *  3. A scheduled job with nothing before it is in one queue, or in the hands of the thread that S_UNMET names. What is
 *     in no queue and in nobody's hands was on its way on the dead thread: it has not begun, and is made ready.
 *  4. What is in the dead thread's hands and not finished was being executed: it fails, or is run again if it may be.
 *  5. Of a group's jobs, those have finished that are neither in a slot nor counted apart by a thread that lives.
 *  6. Handles of the dead thread are gone: what its jobs result in is given up when they have finished.
 *
 * Pausing. A thread writes INSIDE and then reads H_EPOCH; we write H_EPOCH and then read each phase. With atomic accesses
 * on both sides one would see the other (Dekker), but two of them for each call of each job would cost more than a job.
 * So theirs are plain, and we wait DRAIN milliseconds in between: a processor keeps a write to itself for well below a
 * microsecond, so that a thread which has read the old epoch has been seen INSIDE since long. (The idea is that of
 * asymmetric fences: D. Dice, H. Huang, M. Yang, "Asymmetric Dekker Synchronization", 2001.)
 */
import {
  ASIDE,
  ASLEEP,
  AWAITED,
  B_ACTIVITY,
  B_COUNTED,
  B_CROSSED,
  B_EXIT,
  B_FINISHED,
  B_GROUP,
  B_GROUPS,
  B_HELD_BACK,
  B_PHASE,
  B_PINNING,
  B_RAN,
  B_SUSPENDED,
  B_TIMED,
  BUSY,
  CLOSING,
  E_NEXT,
  E_SOURCE,
  EDGE_MASK,
  F_CONTROLLED,
  F_GROUP,
  F_OBSERVER,
  G_COUNT,
  G_DONE,
  G_FAILURE,
  G_NEXT,
  G_OWNER,
  H_EPOCH,
  H_MAIN_JOBS,
  H_REGIONS_END,
  HELD,
  HOLDER_MASK,
  INSIDE,
  OUTSIDE,
  REGION_WORDS,
  S_COLD,
  S_CONTINUATIONS,
  S_FAILURE,
  S_FUNCTION,
  S_LINK,
  S_OWNER,
  S_PINS,
  S_PREREQUISITES,
  S_UNMET,
  SEALED,
  SINGLE,
  SLOT_LOG,
  SLOT_WORDS,
  slotIndex,
} from "../memory/layout.js";
import { delay } from "../sync/delay.js";
import { type Context, MAIN } from "./context.js";
import { BEGUN, isTold, NOT_BEGUN, retry, SETTLED_ELSEWHERE, takeFromDead, unclaim } from "./control.js";
import { finishWhole, tellOwner } from "./finish.js";
import { olderThan, passOn, wordsOf } from "./graph.js";
import { countGroupJob, discardGroup, flushGroup } from "./group.js";
import { appendReady, publishHandedOff, publishReady, submitAll } from "./ready.js";
import { releaseGroupSlot } from "./slots.js";

/** How long writes may take to be seen, in milliseconds: far more than they do. */
const DRAIN = 1;
/** How long others are paused at the most before the last of them has stopped; then we try again later. */
const PATIENCE = 20;
const PAUSE = 0.2;
/** On an edge's source, during a recovery: the edge is in a list of continuations. */
const LISTED = 1 << 30;
/** Where a slot's job is: in a queue of ready jobs, in its owner's list of finished ones. */
const IN_QUEUE = 1;
const IN_LIST = 2;

/**
 * Puts right what threads that have died had in hand. To be called on the main thread, where it has nothing in hand itself.
 *
 * @param dead the threads that have died since the last recovery
 * @param others the workers that live
 * @param paused called while the others are paused
 * @returns those of the dead threads that were executing a job; or undefined if one of the others did not stop soon: then
 * nothing was done, and it is to be tried again
 */
export function recover(
  context: Context,
  dead: readonly number[],
  others: readonly number[],
  paused: () => void,
): ReadonlySet<number> | undefined {
  if (!pause(context, others)) return undefined;
  if (pinsInTheWay(context, dead, others)) {
    resume(context);
    return undefined;
  }
  const findings = new Recovery(context, dead, others).repair();
  paused();
  resume(context);
  conclude(context, findings);
  return new Set(findings.crashed.map(({ thread }) => thread));
}

/** Stops the others. @returns whether they have all stopped; if not, they go on */
function pause(context: Context, others: readonly number[]): boolean {
  const { memory } = context;
  // Odd from now on: seen by each thread when it next enters the scheduler.
  Atomics.add(memory.i32, H_EPOCH, 1);
  delay(DRAIN);
  const end = performance.now() + PATIENCE;
  for (;;) {
    // Pairs with the plain write in `enter`, as told above.
    const inside = (thread: number) => Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_PHASE) === INSIDE;
    if (!others.some(inside)) return true;
    if (performance.now() >= end) break;
    delay(PAUSE);
  }
  resume(context);
  return false;
}

/** Lets the others go on. */
function resume(context: Context): void {
  const { i32 } = context.memory;
  // Even again: publishes all that was repaired to whoever enters after it.
  context.epoch = Atomics.add(i32, H_EPOCH, 1) + 1;
  Atomics.notify(i32, H_EPOCH);
}

/** Whether pins of dead threads cannot be told from those of another, which is about to take them back. */
function pinsInTheWay(context: Context, dead: readonly number[], others: readonly number[]): boolean {
  const pinned = (thread: number) => hasPins(context, thread);
  return dead.some(pinned) && (pinned(MAIN) || others.some(pinned));
}

function hasPins({ memory }: Context, thread: number): boolean {
  return memory.i32[memory.layout.blockOf(thread) + B_PINNING] !== 0;
}

/** What is left to do when the others go on. */
interface Findings {
  /** Jobs that are ready and in no queue. */
  readonly ready: readonly number[];
  /** Jobs that a dead thread was executing. */
  readonly crashed: readonly { readonly slot: number; readonly thread: number }[];
  /** Finished jobs whose owners were not told. */
  readonly untold: readonly number[];
  /** Finished jobs of dead threads. */
  readonly orphans: readonly number[];
}

function conclude(context: Context, { ready, crashed, untold, orphans }: Findings): void {
  const { memory, runner, events } = context;
  for (const slot of ready) appendReady(context, slot);
  for (const { slot, thread } of crashed) {
    const address = slot << SLOT_LOG;
    const header = memory.i32[address + S_FUNCTION];
    if (!(header & F_OBSERVER) && memory.i32[address + S_FAILURE] === 0) {
      if (header & F_CONTROLLED && retry(context, slot)) {
        memory.i32[address + S_UNMET] = 0;
        appendReady(context, slot);
        continue;
      }
      runner.crash(slot, thread);
    }
    if (header & F_GROUP) {
      const group = memory.i32[address + S_OWNER];
      const failure = memory.i32[address + S_FAILURE];
      // The dead thread may have got as far as giving its failure to the group.
      countGroupJob(context, group, memory.i32[group + G_FAILURE] === failure ? 0 : failure);
      releaseGroupSlot(context, slot);
    } else {
      publishHandedOff(context, finishWhole(context, slot));
    }
  }
  flushGroup(context);
  for (const slot of untold) tellOwner(context, slot);
  for (const slot of orphans) runner.deliver(slot);
  publishReady(context);
  submitAll(context);
  // Wakes that were meant for a dead thread: let all look again.
  for (let thread = 0; thread < context.threads; thread++) events.notify(thread, true);
}

class Recovery implements Findings {
  readonly ready: number[] = [];
  readonly crashed: { slot: number; thread: number }[] = [];
  readonly untold: number[] = [];
  readonly orphans: number[] = [];
  readonly #context: Context;
  readonly #dead: ReadonlySet<number>;
  readonly #others: readonly number[];
  /** For each slot, IN_QUEUE, IN_LIST or 0. */
  #places = new Uint8Array(0);
  /** For each group, its jobs that have a slot and are built. */
  readonly #members = new Map<number, number>();
  /** A dead thread has looked at slots of others: it may have scheduled a job and not got as far as having its owner told. */
  #pinned = false;
  /** Jobs that somebody's scheduled job waits for, and that are not scheduled. */
  readonly #unsealed: number[] = [];

  constructor(context: Context, dead: readonly number[], others: readonly number[]) {
    this.#context = context;
    this.#dead = new Set(dead);
    this.#others = others;
  }

  repair(): this {
    const { memory } = this.#context;
    memory.reach(memory.i32[H_REGIONS_END] - 1);
    for (const thread of this.#dead) this.#repairStructures(thread);
    this.#findJobs();
    for (const thread of this.#dead) {
      this.#pinned ||= hasPins(this.#context, thread);
      // We release slots for it, which others may look at.
      if (memory.i32[memory.layout.blockOf(thread) + B_CROSSED] !== 0) this.#context.notePinning();
    }
    this.#forEachJob((slot, header) => {
      if (this.#pinned) memory.i32[(slot << SLOT_LOG) + S_PINS] = 0;
      if (header & F_GROUP) this.#count(slot);
      else this.#mark(slot);
    });
    this.#forEachJob((slot, header) => {
      if (header & F_GROUP) this.#settleMember(slot);
      else this.#settle(slot);
    });
    for (let slot = this.#unsealed.pop(); slot !== undefined; slot = this.#unsealed.pop()) this.#seal(slot);
    this.#countGroups();
    for (const thread of this.#dead) this.#clearBlock(thread);
    return this;
  }

  /** Completes what a dead thread was doing to queues, pools and the event count. */
  #repairStructures(dead: number): void {
    const { memory, slots, edges, payloads, highFirst, events } = this.#context;
    const { i32, layout } = memory;
    if (i32[layout.blockOf(dead) + B_PHASE] === INSIDE) {
      slots.repair();
      edges.repair();
      payloads.repair();
    }
    for (const { deques } of highFirst) deques[dead].repair();
    const asleep = (thread: number) =>
      this.#others.includes(thread) && i32[layout.blockOf(thread) + B_PHASE] === ASLEEP;
    events.repair(dead, asleep);
  }

  /** Finds out where jobs are. */
  #findJobs(): void {
    const { memory, normal, high, low, threads, fifo, unpublished, taken, toDeliver, undelivered } = this.#context;
    const { i32, layout } = memory;
    const places = new Uint8Array((i32[H_REGIONS_END] / REGION_WORDS) * (S_COLD / SLOT_WORDS));
    this.#places = places;
    const queued = (slot: number) => {
      places[slotIndex(slot)] = IN_QUEUE;
    };
    const finished = (slot: number) => {
      places[slotIndex(slot)] = IN_LIST;
    };
    const forEachFrom = (first: number, use: (slot: number) => void) => {
      for (let slot = first; slot > 0; slot = i32[(slot << SLOT_LOG) + S_LINK]) use(slot);
    };
    for (let thread = 0; thread < threads; thread++) {
      const block = layout.blockOf(thread);
      // What a dead thread has not published is nobody's. With threads: 1, the main thread keeps that apart.
      const heldBack = fifo || this.#dead.has(thread) ? 0 : i32[block + B_HELD_BACK];
      normal.deques[thread].forEach(heldBack, queued);
      high.deques[thread].forEach(0, queued);
      low.deques[thread].forEach(0, queued);
      forEachFrom(i32[block + B_FINISHED], finished);
    }
    unpublished.forEach(queued);
    forEachFrom(i32[H_MAIN_JOBS], queued);
    forEachFrom(taken, queued);
    forEachFrom(toDeliver, finished);
    undelivered.forEach(finished);
  }

  #forEachJob(use: (slot: number, header: number) => void): void {
    const { i32, layout } = this.#context.memory;
    const regions = i32[H_REGIONS_END] / REGION_WORDS;
    for (let region = 0; region < regions; region++) {
      if (i32[layout.slotRegions + region] === 0) continue;
      const start = region * REGION_WORDS;
      for (let address = start; address < start + S_COLD; address += SLOT_WORDS) {
        const header = i32[address + S_FUNCTION];
        if (header !== 0) use(address >>> SLOT_LOG, header);
      }
    }
  }

  /** Marks the edges that lead from a job which has not finished. */
  #mark(slot: number): void {
    const { i32 } = this.#context.memory;
    const list = i32[(slot << SLOT_LOG) + S_CONTINUATIONS];
    if (list < 0) return;
    for (let edge = list & EDGE_MASK; edge !== 0; ) {
      const words = wordsOf(edge);
      i32[words + E_SOURCE] |= LISTED;
      edge = i32[words + E_NEXT];
    }
  }

  #count(slot: number): void {
    const { i32 } = this.#context.memory;
    const address = slot << SLOT_LOG;
    const group = i32[address + S_OWNER];
    this.#members.set(group, (this.#members.get(group) ?? 0) + 1);
  }

  /** Whether a dead thread has a job in hand, and in which way: HELD, ASIDE, or 0. */
  #inDeadHands(slot: number): number {
    const unmet = this.#context.memory.i32[(slot << SLOT_LOG) + S_UNMET];
    return unmet >= HELD && this.#dead.has(unmet & HOLDER_MASK) ? unmet & (HELD | ASIDE) : 0;
  }

  /** Whether any thread has a job in hand. */
  #inHand(slot: number): boolean {
    return this.#context.memory.i32[(slot << SLOT_LOG) + S_UNMET] >= HELD;
  }

  /** A job of a group. */
  #settleMember(slot: number): void {
    const hands = this.#inDeadHands(slot);
    if (hands === HELD) this.#takeOver(slot);
    else if (hands === ASIDE) this.#makeReady(slot);
    else if (!this.#inHand(slot) && !this.#isQueued(slot)) this.#makeReady(slot);
  }

  /** A job with a handle. */
  #settle(slot: number): void {
    const { i32 } = this.#context.memory;
    const address = slot << SLOT_LOG;
    const hands = this.#inDeadHands(slot);
    const list = i32[address + S_CONTINUATIONS];
    const pending = this.#settlePrerequisites(slot);
    if (list >= 0 && this.#dead.has(i32[address + S_OWNER]) && isTold(this.#context, slot)) {
      unclaim(this.#context, slot);
      // Who has taken it from a queue has left it to its owner.
      if (this.#inHand(slot)) i32[address + S_UNMET] = pending;
    }
    const state =
      hands === HELD && i32[address + S_FUNCTION] & F_CONTROLLED ? takeFromDead(this.#context, slot) : BEGUN;
    if (state === NOT_BEGUN) i32[address + S_UNMET] = 0;
    if (this.#dead.has(i32[address + S_OWNER])) {
      if (list < 0 && this.#inHand(slot)) {
        // Who still executes one that was given up tells when that has ended.
        if (hands !== 0 || this.#isListed(slot) || !isTold(this.#context, slot)) this.orphans.push(slot);
        return;
      }
      if (list >= 0) i32[address + S_CONTINUATIONS] = list | AWAITED;
    } else if (this.#pinned && list >= 0 && i32[address + S_PREREQUISITES] & SEALED) {
      i32[address + S_CONTINUATIONS] = list | AWAITED;
    }
    if (state === NOT_BEGUN) {
      if (!this.#isQueued(slot)) this.#makeReady(slot);
    } else if (state === SETTLED_ELSEWHERE) return;
    else if (hands === HELD && list >= 0) this.#takeOver(slot);
    else if (hands === HELD && isClosing(list) && !this.#isListed(slot)) this.untold.push(slot);
    else if (hands === ASIDE) this.#makeReady(slot);
    else if (!this.#inHand(slot) && this.#isReady(slot, pending) && !this.#isQueued(slot)) this.#makeReady(slot);
  }

  #isReady(slot: number, pending: number): boolean {
    return (this.#context.memory.i32[(slot << SLOT_LOG) + S_PREREQUISITES] & SEALED) !== 0 && pending === 0;
  }

  #isQueued(slot: number): boolean {
    return this.#places[slotIndex(slot)] === IN_QUEUE;
  }

  /** Whether a job's owner was told that it has finished, and has not taken that over. */
  #isListed(slot: number): boolean {
    return this.#places[slotIndex(slot)] === IN_LIST;
  }

  #makeReady(slot: number): void {
    this.#context.memory.i32[(slot << SLOT_LOG) + S_UNMET] = 0;
    this.ready.push(slot);
  }

  #takeOver(slot: number): void {
    const { i32 } = this.#context.memory;
    const word = (slot << SLOT_LOG) + S_UNMET;
    this.crashed.push({ slot, thread: i32[word] & HOLDER_MASK });
    i32[word] = HELD | MAIN;
  }

  /** Meets the edges that lead to a job from none that has still to finish, and counts the others. @returns how many */
  #settlePrerequisites(slot: number): number {
    const { i32 } = this.#context.memory;
    const address = slot << SLOT_LOG;
    const prerequisites = i32[address + S_PREREQUISITES];
    const single = (prerequisites & SINGLE) !== 0;
    // In a queue or in hand, it knows what it must; and one before it that it still names may have left its slot to another.
    const open = i32[address + S_CONTINUATIONS] >= 0 && !this.#inHand(slot) && !this.#isQueued(slot);
    let pending = 0;
    let all = 0;
    for (let edge = prerequisites & EDGE_MASK; edge !== 0; all++) {
      const words = wordsOf(edge);
      const source = i32[words + E_SOURCE];
      if (source & LISTED) {
        pending++;
        i32[words + E_SOURCE] = source ^ LISTED;
        const unsealed = (i32[((source ^ LISTED) << SLOT_LOG) + S_PREREQUISITES] & SEALED) === 0;
        if (prerequisites & SEALED && unsealed) this.#unsealed.push(source ^ LISTED);
      } else if (source !== 0) {
        if (open && this.#isBeingFinished(source)) passOn(this.#context, source, slot);
        // As its finisher would (graph.ts, invariant 4).
        if (!single) i32[words + E_SOURCE] = 0;
      }
      edge = olderThan(i32, edge, words);
    }
    if (!single && !this.#inHand(slot)) i32[address + S_UNMET] = prerequisites & SEALED ? pending : pending - all;
    return pending;
  }

  /** Whether a dead thread was passing on that a job has finished: as its executor, or as the owner who has cancelled it. */
  #isBeingFinished(slot: number): boolean {
    const { i32 } = this.#context.memory;
    const address = slot << SLOT_LOG;
    if (i32[address + S_FUNCTION] === 0 || !isClosing(i32[address + S_CONTINUATIONS])) return false;
    if (this.#inDeadHands(slot) === HELD) return !this.#isListed(slot);
    return this.#dead.has(i32[address + S_OWNER]) && isTold(this.#context, slot);
  }

  /** Schedules a job that a dead thread was about to schedule, as it had something after it. */
  #seal(slot: number): void {
    const { i32 } = this.#context.memory;
    const address = slot << SLOT_LOG;
    const prerequisites = i32[address + S_PREREQUISITES];
    if (prerequisites & SEALED) return;
    i32[address + S_PREREQUISITES] = prerequisites | SEALED;
    i32[address + S_CONTINUATIONS] |= AWAITED;
    let all = 0;
    for (let edge = prerequisites & EDGE_MASK; edge !== 0; all++) {
      const words = wordsOf(edge);
      if (i32[words + E_SOURCE] !== 0) this.#unsealed.push(i32[words + E_SOURCE]);
      edge = olderThan(i32, edge, words);
    }
    i32[address + S_UNMET] += all;
    if (i32[address + S_UNMET] === 0) this.#makeReady(slot);
  }

  #countGroups(): void {
    const { memory, threads, orphanGroups } = this.#context;
    const { i32, layout } = memory;
    const groups = [...orphanGroups];
    for (let thread = 0; thread < threads; thread++) {
      if (this.#dead.has(thread)) continue;
      for (let group = i32[layout.blockOf(thread) + B_GROUPS]; group !== 0; group = i32[group + G_NEXT])
        groups.push(group);
    }
    const apart = new Map<number, number>();
    for (const thread of [MAIN, ...this.#others]) {
      const block = layout.blockOf(thread);
      const group = i32[block + B_GROUP];
      apart.set(group, (apart.get(group) ?? 0) + i32[block + B_COUNTED]);
    }
    const unfinished = (group: number) => (this.#members.get(group) ?? 0) + (apart.get(group) ?? 0);
    for (const group of groups) i32[group + G_DONE] = (i32[group + G_COUNT] - unfinished(group)) & 0x7fffffff;
    for (const thread of this.#dead) {
      for (let group = i32[layout.blockOf(thread) + B_GROUPS]; group !== 0; group = i32[group + G_NEXT]) {
        // Nobody waits for it, nor adds to it, any more.
        i32[group + G_OWNER] = MAIN;
        i32[group + G_COUNT] = unfinished(group);
        i32[group + G_DONE] = 0;
        orphanGroups.push(group);
      }
    }
    this.#context.orphanGroups = orphanGroups.filter((group) => {
      if (i32[group + G_DONE] !== i32[group + G_COUNT]) return true;
      discardGroup(this.#context, group);
      return false;
    });
  }

  /** As a new thread finds it; but busy, so that nobody takes the place to be empty. */
  #clearBlock(dead: number): void {
    const { i32, layout } = this.#context.memory;
    const block = layout.blockOf(dead);
    const words = [
      B_FINISHED,
      B_SUSPENDED,
      B_TIMED,
      B_HELD_BACK,
      B_GROUP,
      B_COUNTED,
      B_GROUPS,
      B_PINNING,
      B_EXIT,
      B_RAN,
    ];
    for (const word of words) i32[block + word] = 0;
    i32[block + B_PHASE] = OUTSIDE;
    i32[block + B_ACTIVITY] = BUSY;
  }
}

/** Whether a finisher has closed a list of continuations and not got to its end; its owner may have asked to be told meanwhile. */
function isClosing(list: number): boolean {
  return (list & ~AWAITED) === CLOSING;
}
