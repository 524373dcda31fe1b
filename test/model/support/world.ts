/** A small shared memory with the library's own contexts on it; and a runner in the place of the layers above. */
import assert from "node:assert/strict";
import type { Job } from "../../../dist/api/job.js";
import type { Layout, PoolShape } from "../../../dist/memory/layout.js";
import type { Context, Runner } from "../../../dist/scheduler/context.js";
import type { Words } from "../../../dist/sync/words.js";
import type { Guard, Outcome } from "./explore.js";
import type { Library } from "./library.js";

/** Words outside of everything: what has become of jobs, and the guard. */
const GUARD = 126;
/** Regions of slots and of edges, beyond those that are added. */
const SLOTS = 20;
const EDGES = 21;

export interface Sizes {
  readonly batch?: number;
  readonly exchange?: number;
  readonly carvedSlots?: number;
  readonly slotLimit?: number;
  readonly regions?: number;
}

/** A layout with small pools. */
export function smallLayout({ layout }: Library, threads: number, sizes: Sizes = {}): Layout {
  const { batch = 1, exchange = 2, carvedSlots = 64, slotLimit = 1000, regions = SLOTS } = sizes;
  const { SLOT_WORDS, EDGE_WORDS, S_LINK, REGION_WORDS, BLOCK_WORDS, POOLS, POOL_PAYLOADS, SMALLEST_CLASS } = layout;
  const shape = (cellWords: number, carvedWords: number, link: number): PoolShape => ({
    cellWords,
    carvedWords,
    batch,
    exchange,
    link,
  });
  const shapes = [shape(SLOT_WORDS, carvedSlots * SLOT_WORDS, S_LINK), shape(EDGE_WORDS, REGION_WORDS, 0)];
  for (let pool = POOL_PAYLOADS; pool < POOLS; pool++) {
    shapes.push(shape(2 ** (SMALLEST_CLASS + pool - POOL_PAYLOADS - 2), REGION_WORDS, 0));
  }
  const blocks = 128;
  const events = blocks + threads * BLOCK_WORDS;
  return {
    threads,
    maxJobs: slotLimit,
    shapes,
    exchanges: shapes.map((_, k) => 4096 + 128 * k),
    slotLimit,
    events,
    controls: 2560,
    slotRegions: 2688,
    baseWords: REGION_WORDS,
    maxWords: regions * REGION_WORDS,
    blockOf: (thread) => blocks + thread * BLOCK_WORDS,
    freeOf: (thread, pool) => 8192 + 64 * (POOLS * thread + pool),
  };
}

/** Writes what the creating thread writes. */
export function setUp({ layout }: Library, words: Words, { baseWords }: Layout): void {
  words.i32[layout.H_REGIONS_END] = baseWords;
}

/**
 * As `setUp`, with slots and edges in regions of their own, of which the first cells are gone.
 *
 * @param had which kinds of jobs there are: see H_PRIORITIES
 */
export function setUpJobs(library: Library, words: Words, layout: Layout, had = 0): void {
  words.i32[library.layout.H_PRIORITIES] = had;
  const { H_POOLS, POOL_SLOTS, POOL_EDGES, REGION_WORDS, SLOT_WORDS, EDGE_WORDS } = library.layout;
  setUp(library, words, layout);
  words.i32[H_POOLS + 2 * POOL_SLOTS] = SLOTS * REGION_WORDS + SLOT_WORDS;
  words.i32[H_POOLS + 2 * POOL_EDGES] = EDGES * REGION_WORDS + EDGE_WORDS;
}

/**
 * Whether a word is an edge's source. The finisher's plain write races with who looks at the edge, by an atomic read or
 * on the owner's thread: either answer is right until the source's slot is given back, and that is ordered by its pins.
 */
export function isSource({ layout }: Library): (word: number) => boolean {
  const { REGION_WORDS, SLOT_WORDS, EDGE_WORDS, S_EDGE, E_SOURCE } = layout;
  return (word) => {
    const region = Math.floor(word / REGION_WORDS);
    if (region === SLOTS) return word % SLOT_WORDS === S_EDGE + E_SOURCE;
    return region === EDGES && word % EDGE_WORDS === E_SOURCE;
  };
}

/**
 * A finisher reads both plainly: what follows a job, before it closes the list, which finds out if that was old; and
 * whether a job is SINGLE, which is written before the finisher can know of it. An owner reads the first in passing.
 */
export function wordsThatMayBeOld({ layout }: Library, slot: number): number[] {
  const address = slot << layout.SLOT_LOG;
  return [address + layout.S_CONTINUATIONS, address + layout.S_PREREQUISITES];
}

/** Finds accesses of others to the slot that `owner` has got back and taken anew. */
export function guardOf({ layout }: Library, owner: number): Guard {
  return { word: GUARD, owner, length: layout.SLOT_WORDS, open: [layout.S_PINS, layout.S_GENERATION] };
}

/** Says that the slot was got back: from now on, only its owner uses it. */
export function guard({ layout }: Library, words: Words, slot: number): void {
  words.i32[GUARD] = slot << layout.SLOT_LOG;
}

/** How many asynchronous jobs a thread may have at once: there are none. */
const CONCURRENCY = 1;
const DUMMY = new SharedArrayBuffer(8);
const PLENTY = { byteLength: 2 ** 31 };

/** A thread's context on `words`. */
export function contextOn(library: Library, words: Words, layout: Layout, me: number): Context {
  library.graph.clearScratch();
  library.topology.clearScratch();
  const runner = new ModelRunner(library);
  const context = new library.context.Context(DUMMY, layout, me, runner, CONCURRENCY, library.ready.endStretch);
  Object.assign(context.memory, { i32: words.i32, buffer: PLENTY });
  Object.assign(context, { base: words.i32 });
  runner.context = context;
  return context;
}

/** What a job with the function number `id` results in. */
export const resultOf = (id: number) => 100 + id;
export const FAILED = -1;
export const CANCELLED = -2;
export const TIMED_OUT = -3;
/** Functions with this number or a higher one fail. */
export const FAILING = 50;

/** Runs nothing, but reads and writes slots as `JobRunner` does. */
class ModelRunner implements Runner {
  readonly #library: Library;
  context!: Context;
  /** The outcomes that this thread has taken over, and the functions that it has run. */
  readonly delivered: number[] = [];
  readonly ran: number[] = [];
  /** Slots of jobs with control records whose outcomes are taken over. */
  readonly #takenOver = new Set<number>();
  /** What time it is for this thread. */
  time = 0;

  constructor(library: Library) {
    this.#library = library;
  }

  run(slot: number, header: number): boolean {
    const { layout } = this.#library;
    const { i32 } = this.context.memory;
    const id = header & layout.FUNCTION_MASK;
    this.ran.push(id);
    if (header & layout.F_CONTROLLED) {
      // Reads its arguments, and runs for a while.
      assert.ok(i32[(slot << layout.SLOT_LOG) + layout.S_ARGUMENTS] === 0, "arguments of another job");
      if (!this.#library.controlled.endsInTime(this.context, slot)) return true;
    }
    if (id >= FAILING) Atomics.compareExchange(i32, (slot << layout.SLOT_LOG) + layout.S_FAILURE, 0, 1);
    else i32[(slot << layout.SLOT_LOG) + layout.S_ARGUMENTS] = resultOf(id);
    return false;
  }

  deliver(slot: number): void {
    const { layout, slots, control } = this.#library;
    this.context.outstanding.remove(slot);
    if (!slots.retire(this.context, slot)) {
      slots.keepSlot(this.context, slot);
      slots.leaveUndelivered(this.context, slot);
      return;
    }
    const { i32 } = this.context.memory;
    const address = slot << layout.SLOT_LOG;
    const controlled = (i32[address + layout.S_FUNCTION] & layout.F_CONTROLLED) !== 0;
    if (controlled && this.#takenOver.has(slot)) {
      control.releaseTold(this.context, slot);
      return;
    }
    const failure = i32[address + layout.S_FAILURE];
    this.delivered.push(failure !== 0 ? -failure : i32[address + layout.S_ARGUMENTS]);
    if (!controlled) {
      slots.releaseSlot(this.context, slot);
      return;
    }
    this.#takenOver.add(slot);
    control.letGo(this.context, slot);
  }

  /** A slot has a new job. */
  renew(slot: number): void {
    this.#takenOver.delete(slot);
  }

  drop(): void {}

  copyOutcome(from: number, to: number): void {
    const { SLOT_LOG, S_ARGUMENTS } = this.#library.layout;
    const { i32 } = this.context.memory;
    i32[(to << SLOT_LOG) + S_ARGUMENTS] = i32[(from << SLOT_LOG) + S_ARGUMENTS];
  }

  taint(target: number): void {
    const { SLOT_LOG, S_FAILURE } = this.#library.layout;
    Atomics.compareExchange(this.context.memory.i32, (target << SLOT_LOG) + S_FAILURE, 0, 1);
  }

  cancel(): void {}

  crash(slot: number): void {
    Atomics.compareExchange(
      this.context.memory.i32,
      (slot << this.#library.layout.SLOT_LOG) + this.#library.layout.S_FAILURE,
      0,
      1,
    );
  }

  abort(slot: number): void {
    const { SLOT_LOG, S_FAILURE } = this.#library.layout;
    Atomics.exchange(this.context.memory.i32, (slot << SLOT_LOG) + S_FAILURE, -CANCELLED);
  }

  timeOut(slot: number): void {
    const { SLOT_LOG, S_FAILURE } = this.#library.layout;
    Atomics.compareExchange(this.context.memory.i32, (slot << SLOT_LOG) + S_FAILURE, 0, -TIMED_OUT);
  }

  hasArguments(): boolean {
    return true;
  }

  now(): number {
    return this.time;
  }
}

/** Makes it later for a context's thread. */
export function setTime(context: Context, time: number): void {
  (context.runner as ModelRunner).time = time;
}

/** A new job of a context's thread with a control record, scheduled, of whose end that thread is told. @returns its slot */
export function newControlledJob({ slots, control, layout }: Library, context: Context, id: number, limit = 0): number {
  const slot = slots.takeSlot(context, id, layout.SEALED, layout.AWAITED);
  assert.ok(slot !== 0, "no room for a job");
  context.memory.i32[(slot << layout.SLOT_LOG) + layout.S_ARGUMENTS] = 0;
  (context.runner as ModelRunner).renew(slot);
  const record = control.openControl(context, slot);
  assert.ok(record !== 0, "no room for a control record");
  if (limit > 0) control.limit(context, record, limit);
  return slot;
}

/** The outcomes that a context's thread has taken over. */
export function deliveredOn(context: Context): readonly number[] {
  return (context.runner as ModelRunner).delivered;
}

/** The functions that a context's thread has run. */
export function ranOn(context: Context): readonly number[] {
  return (context.runner as ModelRunner).ran;
}

/** A new job of a context's thread. @returns its slot */
export function newJob({ slots }: Library, context: Context, id: number): number {
  const slot = slots.takeSlot(context, id, 0, 0);
  assert.ok(slot !== 0, "no room for a job");
  return slot;
}

/** Links two jobs of a thread as the engine does. */
export function linkJobs({ graph }: Library, context: Context, first: number, next: number): void {
  if (!context.pinning && graph.linkUnscheduled(context, first, next)) return;
  assert.ok(graph.link(context, first, next) === graph.LINKED, "not linked");
}

/** All jobs that are still in the deques at an end. */
export function queued({ deque, layout, rank }: Library, { threads, blockOf }: Layout, { words }: Outcome): number[] {
  const jobs: number[] = [];
  const bases = Array.from({ length: threads }, (_, thread) => blockOf(thread) + layout.B_DEQUE);
  for (const base of [...bases, blockOf(0) + layout.B_INNER]) {
    const from = new deque.Deque(words, base, () => 0);
    for (let item = from.steal(); item !== deque.NOTHING; item = from.steal()) jobs.push(rank.slotOf(item));
  }
  return jobs;
}

/** A handle, as far as the engine's `look` and `expectNotice` need one. */
export class Handle {
  readonly _slot: number;
  readonly #library: Library;
  readonly #context: Context;
  readonly #outcome: number;

  constructor(library: Library, context: Context, slot: number, outcome: number) {
    this._slot = slot;
    this.#library = library;
    this.#context = context;
    this.#outcome = outcome;
  }

  /** 0 while it is pending. */
  get _state(): number {
    return deliveredOn(this.#context).includes(this.#outcome) ? 1 : 0;
  }

  _isForeign(): boolean {
    return false;
  }

  get settled(): boolean {
    if (this._state === 0) this.#engine.look.call(this.#self, this as unknown as Job<unknown>);
    return this._state !== 0;
  }

  _expectNotice(): void {
    this.#engine.expectNotice.call(this.#self, this as unknown as Job<unknown>);
  }

  get #engine() {
    return this.#library.engine.Engine.prototype;
  }

  get #self() {
    return { context: this.#context, runner: this.#context.runner } as never;
  }
}
