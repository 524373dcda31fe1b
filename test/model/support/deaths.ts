/**
 * Stops a thread for good at each step of what it does, in turn; lets the main thread recover, and the others go on until
 * nothing is left to do: then everything is to be as it should.
 *
 * The threads are contexts on one real memory. Of the one that dies, every access to it, plain or atomic, is a step; what
 * the others do meanwhile does not matter here, as all of them are paused before anything is repaired (see the model of
 * that in recovery.test.ts).
 */
import assert from "node:assert/strict";
import type { Context, Runner } from "../../../dist/scheduler/context.js";
import type { Exploration } from "./explore.js";
import type { Library } from "./library.js";
import { smallLayout } from "./world.js";

export const MAIN = 0;
/** The worker that dies, and one that lives on. */
export const DOOMED = 1;
export const OTHER = 2;

/** Why a job has failed. */
export const FAILED = 1;
export const TAINTED = 2;
export const CRASHED = 3;
export const CANCELLED = 4;
export const TIMED_OUT = 5;

const BATCH = 2;
const SLOT_LIMIT = 48;
const SIZES = { batch: BATCH, exchange: 32, carvedSlots: 4096, slotLimit: SLOT_LIMIT, regions: 100 };
/** More rounds than any scenario takes until nothing is left to do. */
const MOST_ROUNDS = 50;
const CONCURRENCY = 1;

/** What a job is like. */
export interface Kind {
  readonly fails?: boolean;
  /** What its function does. */
  readonly body?: (context: Context) => void;
  /** Flags of its header. */
  readonly flags?: number;
  readonly retries?: number;
  readonly limit?: number;
  /** How it may end where the thread that dies does not decide it. */
  readonly may?: readonly number[];
}

/** A job of a scenario. */
export interface Job {
  readonly id: number;
  readonly slot: number;
  readonly kind: Kind;
  readonly owner: number;
  readonly group: number;
  readonly before: Job[];
  scheduled: boolean;
}

/** What a scenario lets the doomed thread do, and its main thread when everything is recovered. */
export interface Part {
  readonly operation: () => void;
  readonly after?: () => void;
  /** Slots that the doomed thread has taken for no job. */
  readonly taken?: readonly number[];
}

export type Scenario = (world: World) => Part;

class Stopped extends Error {}
/** Made once, as stack traces cost time. */
const STOPPED = new Stopped("stopped");

/** Counts the doomed thread's steps, and lets it take no more than `most`. */
class Life {
  most = Number.POSITIVE_INFINITY;
  steps = 0;
  readonly #behind = new WeakMap<object, Int32Array>();

  step(): void {
    if (this.steps >= this.most) throw STOPPED;
    this.steps++;
  }

  viewOf(real: Int32Array): Int32Array {
    const view = new Proxy(real, {
      get: (target, key) => {
        if (key === "length") return target.length;
        this.step();
        return target[Number(key)];
      },
      set: (target, key, value: number) => {
        this.step();
        target[Number(key)] = value;
        return true;
      },
    });
    this.#behind.set(view, real);
    return view;
  }

  /** In the place of `Atomics`. */
  atomics(real: typeof Atomics): typeof Atomics {
    type Use = (array: Int32Array, ...rest: number[]) => number;
    const counted = (use: unknown): Use => {
      return (array, ...rest) => {
        const behind = this.#behind.get(array);
        if (behind !== undefined) this.step();
        return (use as Use)(behind ?? array, ...rest);
      };
    };
    return {
      load: counted(real.load),
      store: counted(real.store),
      add: counted(real.add),
      sub: counted(real.sub),
      or: counted(real.or),
      exchange: counted(real.exchange),
      compareExchange: counted(real.compareExchange),
      notify: counted(real.notify),
      wait: (array: Int32Array, ...rest: [number, number, number]) => {
        // Until it dies.
        if (this.#behind.has(array)) throw STOPPED;
        return real.wait(array, ...rest);
      },
    } as unknown as typeof Atomics;
  }
}

export class World {
  readonly library: Library;
  readonly main: Context;
  readonly doomed: Context;
  /** Where there is but one worker, the main thread's. */
  readonly other: Context;
  readonly jobs: Job[] = [];
  /** Functions that have begun, and outcomes that owners have heard. */
  readonly runs: { readonly id: number; readonly thread: number }[] = [];
  readonly heard: { readonly id: number; readonly outcome: number }[] = [];
  /** Jobs whose functions have returned. */
  readonly ended = new Set<number>();
  readonly groups: number[] = [];
  /** Threads that sleep, and are to be woken. */
  readonly asleep: number[] = [];
  readonly life = new Life();
  time = 0;

  constructor(library: Library, threads: number) {
    this.library = library;
    const layout = smallLayout(library, threads, SIZES);
    const make = (me: number, buffer?: SharedArrayBuffer) => {
      const runner = new DeathRunner(this);
      const context = new library.context.Context(buffer, layout, me, runner, CONCURRENCY, library.ready.endStretch);
      runner.context = context;
      return context;
    };
    this.main = make(MAIN);
    this.doomed = make(DOOMED, this.main.memory.buffer);
    this.other = threads > OTHER ? make(OTHER, this.main.memory.buffer) : this.main;
    this.#observe(this.doomed);
    this.successor = () => make(DOOMED, this.main.memory.buffer);
  }

  /** A thread in the doomed one's place. */
  readonly successor: () => Context;

  #observe(context: Context): void {
    const { memory } = context;
    Object.assign(context, { base: this.life.viewOf(context.base) });
    let view = this.life.viewOf(memory.i32);
    Object.defineProperty(memory, "i32", {
      get: () => view,
      set: (real: Int32Array) => {
        view = this.life.viewOf(real);
      },
    });
  }

  /** A new job, not scheduled. */
  spawn(context: Context, kind: Kind = {}): Job {
    const { slots, layout } = this.library;
    const id = this.jobs.length + 1;
    const slot = slots.takeSlot(context, 0, 0, 0);
    assert.ok(slot !== 0, "no room for a job");
    this.#write(context, slot);
    this.#complete(context, slot, id | (kind.flags ?? 0));
    const job = this.#note(context, id, slot, kind, 0);
    if (kind.retries !== undefined || kind.limit !== undefined) this.#openControl(context, slot, kind);
    if ((kind.flags ?? 0) & (layout.F_HIGH | layout.F_LOW))
      context.memory.i32[layout.H_PRIORITIES] = layout.HAD_PRIORITY;
    return job;
  }

  /** A new job, scheduled. */
  run(context: Context, kind: Kind = {}): Job {
    const { slots, ready, layout } = this.library;
    const id = this.jobs.length + 1;
    const slot = slots.takeSlot(context, 0, layout.SEALED, 0);
    assert.ok(slot !== 0, "no room for a job");
    this.#write(context, slot);
    this.#complete(context, slot, id | (kind.flags ?? 0));
    const job = this.#note(context, id, slot, kind, 0);
    context.outstanding.add(slot);
    ready.submitReady(context, slot);
    job.scheduled = true;
    return job;
  }

  group(context: Context): number {
    const record = this.library.group.makeGroup(context);
    assert.ok(record !== 0, "no room for a group");
    if (context.me !== DOOMED) this.groups.push(record);
    return record;
  }

  runInGroup(context: Context, group: number, kind: Kind = {}): Job {
    return this.buildInGroup(context, group, kind)();
  }

  /** Begins a job of a group: its arguments are being written. @returns what completes it */
  buildInGroup(context: Context, group: number, kind: Kind = {}): () => Job {
    const { slots, ready, layout } = this.library;
    const id = this.jobs.length + 1;
    const slot = slots.takeGroupSlot(context, group);
    assert.ok(slot !== 0, "no room for a job");
    this.#write(context, slot);
    const job = this.#note(context, id, slot, kind, group);
    return () => {
      this.#complete(context, slot, id | layout.F_GROUP | (kind.flags ?? 0));
      ready.submitReady(context, slot);
      job.scheduled = true;
      context.memory.i32[group + layout.G_COUNT]++;
      return job;
    };
  }

  link(context: Context, first: Job, next: Job): void {
    const { graph } = this.library;
    if (context.pinning || !graph.linkUnscheduled(context, first.slot, next.slot)) {
      assert.equal(graph.link(context, first.slot, next.slot), graph.LINKED, "not linked");
    }
    next.before.push(first);
  }

  schedule(context: Context, job: Job): void {
    assert.equal(this.library.graph.schedule(context, job.slot), undefined, "a cycle");
    const mark = (each: Job) => {
      each.scheduled = true;
      each.before.forEach(mark);
    };
    mark(job);
  }

  /** The owner is to be told when the job has finished. */
  awaits(context: Context, { slot }: { readonly slot: number }): void {
    const { layout } = this.library;
    const word = (slot << layout.SLOT_LOG) + layout.S_CONTINUATIONS;
    if (Atomics.or(context.memory.i32, word, layout.AWAITED) === layout.CLOSED) context.runner.deliver(slot);
    else context.outstanding.remove(slot);
  }

  /** What the others do before they are paused. */
  goOnFor(): void {
    const { main, other } = this;
    main.enter();
    for (const slot of (main.runner as DeathRunner).handles.keys()) this.awaits(main, { slot });
    main.leave();
    if (other === main) return;
    if (this.asleep.includes(OTHER)) {
      if (Atomics.load(main.memory.i32, main.events.wordOf(OTHER)) !== this.library.eventCount.AWAKE) return;
      this.asleep.splice(this.asleep.indexOf(OTHER), 1);
      this.wake(other);
    }
    this.work(other);
  }

  /** A thread that was woken goes on. */
  wake(context: Context): void {
    context.enter();
    if (context.me !== MAIN) context.events.endSearch();
    context.leave();
  }

  cancel(context: Context, job: Job): void {
    const { control, controlled } = this.library;
    if (control.cancel(context, job.slot)) controlled.finishCancelled(context, job.slot);
    else control.askToStop(context, job.slot);
  }

  /** What a worker does between two sleeps. */
  work(context: Context): void {
    const { ready, finish, group } = this.library;
    context.enter();
    for (let job = ready.findReady(context); job !== 0; job = ready.findReady(context)) finish.executeAll(context, job);
    context.running = 0;
    group.flushGroup(context);
    finish.drainFinished(context);
    context.outstanding.sweep(context);
    ready.endStretch(context);
    context.leave();
  }

  /** What the main thread does in a turn of its event loop. */
  turn(): void {
    const { ready, finish, mainLoop } = this.library;
    const { main } = this;
    main.enter();
    finish.drainFinished(main);
    main.outstanding.sweep(main);
    mainLoop.runMainJobs(main);
    ready.endStretch(main);
    ready.submitAll(main);
    main.leave();
  }

  /** The other thread falls asleep, as in its loop; or the main thread, as it awaits promises. */
  sleep(context: Context): void {
    const { layout, eventCount } = this.library;
    context.enter();
    if (context.me === MAIN) {
      context.events.prepare(MAIN, eventCount.LISTENING);
      context.leave();
    } else {
      context.events.prepare(context.me);
      context.leave(layout.ASLEEP);
    }
    this.asleep.push(context.me);
  }

  /** Its arguments are written: from now on the slot counts as the job's. */
  #complete({ memory }: Context, slot: number, header: number): void {
    const { SLOT_LOG, S_FUNCTION } = this.library.layout;
    memory.i32[(slot << SLOT_LOG) + S_FUNCTION] = header;
  }

  #write(context: Context, slot: number): void {
    const { layout } = this.library;
    context.memory.i32[(slot << layout.SLOT_LOG) + layout.S_ARGUMENTS] = 0;
  }

  #note(context: Context, id: number, slot: number, kind: Kind, group: number): Job {
    const job: Job = { id, slot, kind, owner: context.me, group, before: [], scheduled: false };
    this.jobs.push(job);
    if (group === 0) (context.runner as DeathRunner).handles.set(slot, id);
    return job;
  }

  #openControl(context: Context, slot: number, { retries = 0, limit = 0 }: Kind): void {
    const { control, layout } = this.library;
    const record = control.openControl(context, slot);
    assert.ok(record !== 0, "no room for a control record");
    context.memory.i32[record + layout.C_RETRIES] = retries;
    if (limit > 0) control.limit(context, record, limit);
  }
}

/** Runs the functions of a scenario's jobs; reads and writes slots as `JobRunner` does. */
class DeathRunner implements Runner {
  context!: Context;
  /** Jobs of this thread whose outcomes it has not taken over, by slot. */
  readonly handles = new Map<number, number>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  run(slot: number, header: number): boolean {
    const { layout, control, controlled, slots } = this.#world.library;
    const { context } = this;
    const { id, kind, group } = this.#world.jobs[(header & layout.FUNCTION_MASK) - 1];
    const address = slot << layout.SLOT_LOG;
    assert.equal(context.memory.i32[address + layout.S_ARGUMENTS], 0, "arguments of another job");
    this.#world.runs.push({ id, thread: context.me });
    context.leave();
    try {
      // Something that takes a step, as the function itself may end the thread.
      if (context.memory.i32[layout.H_STATE] === layout.RUNNING) kind.body?.(context);
      this.#world.ended.add(id);
    } finally {
      context.enter();
    }
    if (header & layout.F_CONTROLLED) {
      if (control.retriesOf(context, slot) > 0) control.noteRetries(context, slot, 0);
      if (!controlled.endsInTime(context, slot)) return true;
    } else if (!kind.fails && group === 0 && slots.isPrivate(context, slot)) {
      context.outstanding.remove(slot);
      slots.retire(context, slot);
      this.#settle(slot, 0);
      return true;
    }
    if (kind.fails) this.#fail(slot, FAILED);
    else if (group === 0) context.memory.i32[address + layout.S_ARGUMENTS] = id;
    return false;
  }

  deliver(slot: number): void {
    const { slots, layout } = this.#world.library;
    const { context } = this;
    context.outstanding.remove(slot);
    if (!slots.retire(context, slot)) {
      slots.keepSlot(context, slot);
      slots.leaveUndelivered(context, slot);
      return;
    }
    const address = slot << layout.SLOT_LOG;
    const failure = context.memory.i32[address + layout.S_FAILURE];
    const id = this.handles.get(slot);
    if (id !== undefined && failure === 0) {
      assert.equal(context.memory.i32[address + layout.S_ARGUMENTS], id, "a result of another job");
    }
    this.#settle(slot, failure);
  }

  #settle(slot: number, failure: number): void {
    const { slots, control, layout } = this.#world.library;
    const { context } = this;
    const id = this.handles.get(slot);
    this.handles.delete(slot);
    const controlled = (context.memory.i32[(slot << layout.SLOT_LOG) + layout.S_FUNCTION] & layout.F_CONTROLLED) !== 0;
    if (id === undefined && controlled && failure !== 0 && control.releaseTold(context, slot)) return;
    // Heard before the slot is given back, as a thread that dies in between hears nothing.
    if (id !== undefined) this.#world.heard.push({ id, outcome: failure });
    if (controlled) control.letGo(context, slot);
    else slots.releaseSlot(context, slot);
  }

  #fail(slot: number, failure: number): void {
    const { layout } = this.#world.library;
    const address = slot << layout.SLOT_LOG;
    const { i32 } = this.context.memory;
    // In the place of a payload; a group takes that for none.
    const code = i32[address + layout.S_FUNCTION] & layout.F_GROUP ? FAILED : failure;
    Atomics.compareExchange(i32, address + layout.S_FAILURE, 0, code);
  }

  drop(): void {}

  copyOutcome(from: number, to: number): void {
    const { layout } = this.#world.library;
    const { i32 } = this.context.memory;
    const [source, target] = [from << layout.SLOT_LOG, to << layout.SLOT_LOG];
    if (i32[source + layout.S_FAILURE] !== 0) i32[target + layout.S_FAILURE] = TAINTED;
    else i32[target + layout.S_ARGUMENTS] = this.#world.jobs.find(({ slot }) => slot === to)?.id as number;
  }

  taint(target: number): void {
    this.#fail(target, TAINTED);
  }

  cancel(): void {}

  crash(slot: number): void {
    this.#fail(slot, CRASHED);
  }

  abort(slot: number): void {
    const { SLOT_LOG, S_FAILURE } = this.#world.library.layout;
    Atomics.exchange(this.context.memory.i32, (slot << SLOT_LOG) + S_FAILURE, CANCELLED);
  }

  timeOut(slot: number): void {
    this.#fail(slot, TIMED_OUT);
  }

  hasArguments(): boolean {
    return true;
  }

  now(): number {
    return this.#world.time;
  }
}

/** Lets the doomed thread of a scenario die at each step in turn. @returns how many there are */
export function dieAtEachStep(library: Library, scenario: Scenario, threads: number): Exploration {
  const steps = [false, true].map((late) => dieAtEach(library, scenario, threads, late));
  const states = steps[0] + steps[1];
  return { states, ends: states };
}

/** @param late whether the others go on for a while before they are paused */
function dieAtEach(library: Library, scenario: Scenario, threads: number, late: boolean): number {
  const real = { Atomics: globalThis.Atomics, queueMicrotask: globalThis.queueMicrotask };
  globalThis.queueMicrotask = () => {};
  try {
    for (let step = 0; ; step++) {
      library.graph.clearScratch();
      library.topology.clearScratch();
      try {
        if (play(new World(library, threads), scenario, step, late, real.Atomics)) return step + 1;
      } catch (error) {
        if (error instanceof Error)
          error.message += `\nwhere the thread dies at step ${step}${late ? ", and the others go on" : ""}`;
        throw error;
      }
    }
  } finally {
    Object.assign(globalThis, real);
  }
}

/** @returns whether the thread died only after all that it had to do */
function play(world: World, scenario: Scenario, steps: number, late: boolean, real: typeof Atomics): boolean {
  const { library, life } = world;
  globalThis.Atomics = life.atomics(real);
  const { operation, after, taken = [] } = scenario(world);
  life.steps = 0;
  life.most = steps;
  let complete = true;
  try {
    operation();
  } catch (error) {
    if (error !== STOPPED) throw error;
    complete = life.steps < steps;
  }
  globalThis.Atomics = real;
  library.graph.clearScratch();
  library.topology.clearScratch();
  const held = inHands(world);
  if (late) world.goOnFor();
  const dead = recover(world);
  const successor = goOn(world, late, after);
  check(world, held, dead);
  checkSlots(world, successor, taken.length);
  checkCounts(world);
  return complete;
}

/** The jobs that the dead thread was executing. */
function inHands({ library, main, jobs }: World): Set<number> {
  const { SLOT_LOG, S_FUNCTION, S_UNMET, S_CONTINUATIONS, FUNCTION_MASK, HELD, F_CONTROLLED, C_STATE } = library.layout;
  const { control } = library;
  main.memory.reach(main.memory.i32[library.layout.H_REGIONS_END] - 1);
  const held = jobs.filter(({ id, slot, group }) => {
    const address = slot << SLOT_LOG;
    if ((main.memory.i32[address + S_FUNCTION] & FUNCTION_MASK) !== id) return false;
    if (main.memory.i32[address + S_UNMET] !== (HELD | DOOMED)) return false;
    if (main.memory.i32[address + S_FUNCTION] & F_CONTROLLED) {
      const state = main.memory.i32[control.controlOf(main, slot) + C_STATE] & control.STATES;
      if (state !== control.STARTED && state !== control.ENDED) return false;
    }
    return group !== 0 || main.memory.i32[address + S_CONTINUATIONS] >= 0;
  });
  return new Set(held.map(({ id }) => id));
}

function recover({ library, main, other }: World): ReadonlySet<number> {
  let paused = 0;
  const dead = library.recovery.recover(main, [DOOMED], other === main ? [] : [OTHER], () => {
    paused++;
  });
  assert.ok(dead !== undefined && paused === 1, "not recovered");
  return dead;
}

/** Lets all threads go on until nothing is left to do. */
function goOn(world: World, late: boolean, after: (() => void) | undefined): Context {
  const { library, main, other, asleep } = world;
  for (const thread of asleep) {
    const context = thread === MAIN ? main : other;
    assert.equal(main.memory.i32[main.events.wordOf(thread)], library.eventCount.AWAKE, `thread ${thread} sleeps on`);
    world.wake(context);
  }
  after?.();
  const successor = world.successor();
  successor.enter();
  for (const { own } of successor.highFirst) own.resume();
  successor.leave();
  for (let round = 0, before = -1; ; round++) {
    if (!late) world.work(successor);
    if (other !== main) world.work(other);
    world.turn();
    if (late) world.work(successor);
    const now = world.runs.length + world.heard.length;
    if (now === before) break;
    assert.ok(round < MOST_ROUNDS, "it goes on for ever");
    before = now;
  }
  return successor;
}

/** Checks what has become of the jobs. */
function check(world: World, held: ReadonlySet<number>, dead: ReadonlySet<number>): void {
  const { library, jobs, runs, heard, groups, main } = world;
  const { G_COUNT, G_DONE } = library.layout;
  assert.equal(dead.has(DOOMED), held.size > 0, "whether the dead thread was executing a job");
  const outcomes = new Map<number, number>();
  for (const { id, outcome } of heard) {
    assert.ok(!outcomes.has(id), `job ${id} has settled twice`);
    outcomes.set(id, outcome);
  }
  for (const { id, kind, owner, group, before, scheduled } of jobs) {
    const calls = runs.filter((run) => run.id === id).length;
    const lost = held.has(id);
    assert.ok(calls <= 1 || (lost && calls <= 1 + (kind.retries ?? 0)), `job ${id} has run ${calls} times`);
    for (const each of calls > 0 ? before : []) {
      assert.ok(
        runs.some((run) => run.id === each.id),
        `job ${id} has run, and one before it has not`,
      );
    }
    if (!scheduled) continue;
    if (group !== 0) {
      assert.ok(calls === 1 || lost, `job ${id} of a group has not run`);
      continue;
    }
    const failedBefore = before.some((each) => outcomes.has(each.id) && outcomes.get(each.id) !== 0);
    if (owner === DOOMED) {
      const mayNotRun = lost || before.length > 0 || kind.may !== undefined;
      assert.ok(calls === 1 || mayNotRun, `job ${id} of the dead thread has not run`);
      continue;
    }
    assert.ok(outcomes.has(id), `job ${id} has not settled`);
    const outcome = outcomes.get(id) as number;
    if (kind.may?.includes(outcome)) continue;
    if (failedBefore) {
      assert.equal(outcome, TAINTED, `the outcome of job ${id}, of which one before it has failed`);
      assert.equal(calls, 0, `job ${id} has run although one before it has failed`);
    } else if (outcome === CRASHED)
      assert.ok(lost && (!kind.retries || world.ended.has(id)), `job ${id} counts as lost`);
    else if (outcome === TAINTED) {
      assert.ok(
        before.some((each) => each.owner === DOOMED),
        `job ${id} has failed because of none`,
      );
    } else {
      assert.equal(outcome, kind.fails ? FAILED : 0, `the outcome of job ${id}`);
      assert.ok(calls > 0 || (kind.flags ?? 0) & library.layout.F_OBSERVER, `job ${id} has not run`);
    }
  }
  const { i32 } = main.memory;
  for (const group of groups) assert.equal(i32[group + G_DONE], i32[group + G_COUNT], "a group is not complete");
}

/** Checks that no cell is lost that need not be, and none is in two places. */
function checkSlots({ library, jobs, main, other }: World, successor: Context, taken: number): void {
  const { SLOT_LOG, S_FUNCTION, S_PREREQUISITES, SEALED, FUNCTION_MASK } = library.layout;
  const { i32 } = main.memory;
  const kept = new Set<number>();
  for (const { id, slot } of jobs) {
    const address = slot << SLOT_LOG;
    if ((i32[address + S_FUNCTION] & FUNCTION_MASK) !== id) continue;
    assert.equal(i32[address + S_PREREQUISITES] & SEALED, 0, `the slot of job ${id} is not given back`);
    kept.add(address);
  }
  const contexts = [main, other, successor];
  const free: number[] = [];
  for (const { slots } of contexts) for (let cell = slots.take(); cell !== 0; cell = slots.take()) free.push(cell);
  assert.equal(new Set(free).size, free.length, "a slot is in two places");
  for (const cell of free) assert.ok(!kept.has(cell), "a slot is free and taken");
  const lost = SLOT_LIMIT - free.length - kept.size;
  assert.ok(lost <= taken + BATCH + 1, `${lost} slots are lost`);
  for (const cells of [
    contexts.flatMap(({ edges }) => Array.from({ length: 24 }, () => edges.take())),
    contexts.flatMap(({ payloads }) => Array.from({ length: 24 }, () => payloads.allocate(8))),
  ]) {
    assert.ok(!cells.includes(0), "no room for a cell");
    assert.equal(new Set(cells).size, cells.length, "an edge or a payload is in two places");
  }
}

/** Checks that nobody counts as asleep, or as one who searches. */
function checkCounts({ main }: World): void {
  assert.equal(main.memory.i32[main.memory.layout.events], 0, "what is left of the event count's counts");
}
