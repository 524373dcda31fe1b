/** The part of a recovery that is about jobs (2, 3, 4 and 6 in recovery.ts): finds out who is to go on with each. */
import {
  ASIDE,
  AWAITED,
  CLOSING,
  E_NEXT,
  E_SOURCE,
  EDGE_MASK,
  F_CONTROLLED,
  F_GROUP,
  HELD,
  HOLDER_MASK,
  S_CONTINUATIONS,
  S_FUNCTION,
  S_OWNER,
  S_PINS,
  S_PREREQUISITES,
  S_UNMET,
  SEALED,
  SINGLE,
  SLOT_LOG,
} from "../memory/layout.js";
import type { Findings } from "./conclude.js";
import { type Context, MAIN } from "./context.js";
import { BEGUN, isTold, NOT_BEGUN, SETTLED_ELSEWHERE, takeFromDead, unclaim } from "./control.js";
import { olderThan, passOn, wordsOf } from "./graph.js";
import { forEachJob } from "./slots.js";
import { Whereabouts } from "./whereabouts.js";

/** During a recovery, on an edge's source: the edge is in a list of continuations. */
const LISTED = 1 << 30;

export class JobRepair implements Findings {
  readonly ready: number[] = [];
  readonly crashed: { slot: number; thread: number }[] = [];
  readonly untold: number[] = [];
  readonly orphans: number[] = [];
  readonly #context: Context;
  readonly #dead: ReadonlySet<number>;
  readonly #pinned: boolean;
  readonly #whereabouts: Whereabouts;
  /** Jobs that somebody's scheduled job waits for, and that are not scheduled. */
  readonly #unsealed: number[] = [];

  /**
   * @param dead the threads that have died
   * @param pinned whether one of them was looking at slots of others: it may have scheduled a job and not got as far as having
   * its owner told
   */
  constructor(context: Context, dead: ReadonlySet<number>, pinned: boolean) {
    this.#context = context;
    this.#dead = dead;
    this.#pinned = pinned;
    this.#whereabouts = new Whereabouts(context, dead);
  }

  repair(): this {
    const { i32 } = this.#context.memory;
    forEachJob(this.#context, (slot, header) => {
      if (this.#pinned) i32[(slot << SLOT_LOG) + S_PINS] = 0;
      if (!(header & F_GROUP)) this.#mark(slot);
    });
    forEachJob(this.#context, (slot, header) => {
      if (header & F_GROUP) this.#settleMember(slot);
      else this.#settle(slot);
    });
    for (let slot = this.#unsealed.pop(); slot !== undefined; slot = this.#unsealed.pop()) this.#seal(slot);
    return this;
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
    else if (!this.#inHand(slot) && !this.#whereabouts.isQueued(slot)) this.#makeReady(slot);
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
        if (hands !== 0 || this.#whereabouts.isListed(slot) || !isTold(this.#context, slot)) this.orphans.push(slot);
        return;
      }
      if (list >= 0) i32[address + S_CONTINUATIONS] = list | AWAITED;
    } else if (this.#pinned && list >= 0 && i32[address + S_PREREQUISITES] & SEALED) {
      i32[address + S_CONTINUATIONS] = list | AWAITED;
    }
    if (state === NOT_BEGUN) {
      if (!this.#whereabouts.isQueued(slot)) this.#makeReady(slot);
    } else if (state === SETTLED_ELSEWHERE) return;
    else if (hands === HELD && list >= 0) this.#takeOver(slot);
    else if (hands === HELD && isClosing(list) && !this.#whereabouts.isListed(slot)) this.untold.push(slot);
    else if (hands === ASIDE) this.#makeReady(slot);
    else if (!this.#inHand(slot) && this.#isReady(slot, pending) && !this.#whereabouts.isQueued(slot))
      this.#makeReady(slot);
  }

  #isReady(slot: number, pending: number): boolean {
    return (this.#context.memory.i32[(slot << SLOT_LOG) + S_PREREQUISITES] & SEALED) !== 0 && pending === 0;
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
    const open = i32[address + S_CONTINUATIONS] >= 0 && !this.#inHand(slot) && !this.#whereabouts.isQueued(slot);
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
    if (this.#inDeadHands(slot) === HELD) return !this.#whereabouts.isListed(slot);
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
}

/** Whether a finisher has closed a list of continuations and not got to its end; its owner may have asked to be told meanwhile. */
function isClosing(list: number): boolean {
  return (list & ~AWAITED) === CLOSING;
}
