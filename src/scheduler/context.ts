/** What one thread needs to schedule: its view of the shared memory and its own queues and pools. */
import {
  AT_REST,
  B_ACTIVITY,
  B_COUNTED,
  B_CROSSED,
  B_DEQUE,
  B_DEQUE_HIGH,
  B_DEQUE_LOW,
  B_EXIT,
  B_GROUP,
  B_HELD_BACK,
  B_INNER,
  B_INNER_HIGH,
  B_INNER_LOW,
  B_PHASE,
  BUSY,
  DOZING,
  H_EPOCH,
  H_PRIORITIES,
  H_STATE,
  HAD_MAIN,
  IDLE,
  INSIDE,
  type Layout,
  OUTSIDE,
  POOL_EDGES,
  POOL_SLOTS,
  REGION_WORDS,
} from "../memory/layout.js";
import { Memory } from "../memory/memory.js";
import { Payloads } from "../memory/payloads.js";
import { Pool } from "../memory/pool.js";
import { Deque } from "../sync/deque.js";
import { EventCount, TURNING } from "../sync/event-count.js";
import { LoneEventCount } from "../sync/lone-event-count.js";
import { Outstanding } from "./outstanding.js";
import { Taken } from "./taken.js";

/** What the layers above do for the scheduler, which knows nothing of JavaScript values. */
export interface Runner {
  /**
   * Runs the function of `slot`, which has this `header`, and leaves its result or its failure in the slot.
   *
   * @returns true if nothing is left to do now: the job is private, has not failed, and its outcome is taken over; or it
   * is suspended, and `finishSuspended` is called once its promise has settled
   */
  run(slot: number, header: number): boolean;
  /** Whether all that the arguments of `slot`, which has this `header`, refer to has reached this thread. */
  hasArguments(slot: number, header: number): boolean;
  /** Takes over the outcome of `slot`, whose handle is on this thread; later, if another thread looks at it just now. */
  deliver(slot: number): void;
  /** Frees the arguments of `slot`, which will not run. */
  drop(slot: number): void;
  /** Gives the job `to` the outcome of the finished job `from`. */
  copyOutcome(from: number, to: number): void;
  /** Makes `target` fail because its prerequisite `source` has failed. */
  taint(target: number, source: number): void;
  /** Makes `slot` fail because the system was shut down by force. */
  cancel(slot: number): void;
  /** Makes `slot` fail because `thread`, which ran it, has died. */
  crash(slot: number, thread: number): void;
  /** Makes `slot` fail because it was cancelled before it started, whatever else it would have failed of. */
  abort(slot: number): void;
  /** Makes `slot` fail because it has run for longer than `limit` milliseconds. */
  timeOut(slot: number, limit: number): void;
  /** Milliseconds of the clock that all threads share: see CLOCK_MASK. */
  now(): number;
}

/** The creating thread. It submits, runs its own jobs, and helps while it waits; the others are workers. */
export const MAIN = 0;

/** The queues of ready jobs of one priority. */
export interface Level {
  /** Of each thread, and after these the main thread's inner one. */
  readonly deques: readonly Deque[];
  /** This thread's own. */
  readonly own: Deque;
  /** The main thread's inner one: see ready.ts. */
  readonly inner: Deque;
}

export class Context {
  readonly memory: Memory;
  readonly me: number;
  readonly threads: number;
  readonly block: number;
  readonly slots: Pool;
  readonly edges: Pool;
  readonly payloads: Payloads;
  /** This thread's own of normal priority: for what becomes ready outside of jobs, and within them. */
  readonly deque: Deque;
  readonly high: Level;
  readonly normal: Level;
  readonly low: Level;
  /** In which order they are looked through: see ready.ts. */
  readonly highFirst: readonly Level[];
  readonly normalFirst: readonly Level[];
  readonly lowFirst: readonly Level[];
  readonly events: EventCount;
  readonly runner: Runner;
  /** With one worker: first-in first-out, and only the worker executes. */
  readonly fifo: boolean;
  /** Without workers: this thread executes all jobs. */
  readonly alone: boolean;
  /** With one worker, or none: jobs become ready in the order in which they were linked and scheduled. */
  readonly ordered: boolean;
  /** Handles have crossed threads here, so that others may look at our slots: see graph.ts. */
  pinning = false;
  /** Some link may have closed a cycle: see graph.ts. */
  cyclesPossible = false;
  /** Finished jobs that others were still looking at when their outcomes were to be taken over. */
  readonly undelivered: number[] = [];
  /** Finished jobs of this thread whose results name shared objects that have not reached it: see `Runner.hasArguments`. */
  readonly unread = new Set<number>();
  /** A job was set aside here because its arguments name such objects: an event-loop turn has to bring them. */
  lacking = false;
  /** Head of the list of finished jobs that were taken from this thread's stack and are still to be delivered, the oldest first. */
  toDeliver = 0;
  readonly outstanding = new Outstanding();
  /** A view of the base area, which does not move; and where this thread's phase is in it. */
  readonly base: Int32Array;
  readonly phase: number;
  /** The last recovery that this thread knows of: see recovery.ts. */
  epoch = -1;
  /** On the main thread: looks for workers that have died, while it waits synchronously and its event loop stands still. */
  watch: () => void = () => {};
  /** On the main thread: groups whose owners have died, and which have still jobs to finish. */
  orphanGroups: number[] = [];
  /** Takes in what other threads have sent: after a recovery that this thread has not known of, and when it has slept. */
  takeIn: () => void = () => {};
  /** Asynchronous jobs of this thread that have started and not finished, and how many there may be: see asynchronous.ts. */
  suspended = 0;
  readonly concurrency: number;
  /** Ready jobs that this thread has set aside. */
  readonly postponed: number[] = [];
  /** The next asynchronous job may be started beyond the limit. */
  overdraw = false;
  /** How deep jobs wait inside jobs. */
  depth = 0;
  /** The rank of what becomes ready here now; and the lowest rank that the wait under way here takes, as the waits below it do: see rank.ts. */
  rank = 0;
  floor = 0;
  readonly floors: number[] = [];
  /** The job that runs here now, or 0; and those that wait on this thread's stack: see deadlock.ts. */
  running = 0;
  readonly waiting: number[] = [];
  /** In how many looks for a job submitted ones come first: see ready.ts. */
  untilFair = 1;
  /** Jobs found since priorities have counted, modulo a round: see ready.ts. */
  found = 0;
  /** What kinds of jobs (F_HIGH, F_LOW, F_MAIN) were appended apart and not yet published: see ready.ts. */
  apart = 0;
  /** The newest and the oldest job for the main thread that was appended and not yet published: see main-jobs.ts. */
  newestForMain = 0;
  oldestForMain = 0;
  /** On the main thread: its jobs that it has taken; whether any are under way; in which round; those set aside. */
  readonly taken = new Taken();
  holding = false;
  round = 0;
  readonly postponedHere: number[] = [];
  /** threads: 1 – items appended on the main thread and not yet published. */
  unpublished: number[] = [];
  /** Jobs submitted in this stretch: see ready.ts. */
  submitted = 0;
  /** Ends a stretch of submissions; a microtask on the main thread. */
  readonly endStretch: () => void;
  /** When the main thread last looked for jobs whose time is over: see watch.ts. */
  watched = 0;
  /** On the main thread: ends the worker `thread` because of the job `slot`, whose limit is over; 0: whose signal was aborted. */
  onOverdue: (thread: number, slot: number, milliseconds: number) => void = () => {};
  /** Keeps the reading in `prefetch` from being optimised away. */
  prefetched = 0;
  /** Scratch for batches. */
  readonly batch = new Int32Array(64);
  victim = 0;
  /** How many workers may look for work at once without finding any; more would only take each other's processors. */
  readonly searchers: number;

  constructor(
    buffer: SharedArrayBuffer | undefined,
    layout: Layout,
    me: number,
    runner: Runner,
    concurrency: number,
    endStretch: (context: Context) => void,
  ) {
    const memory = buffer === undefined ? Memory.create(layout) : Memory.attach(buffer, layout);
    this.memory = memory;
    this.base = memory.i32;
    this.phase = layout.blockOf(me) + B_PHASE;
    this.me = me;
    this.threads = layout.threads;
    this.block = layout.blockOf(me);
    this.slots = new Pool(memory, me, POOL_SLOTS, layout.slotLimit);
    this.edges = new Pool(memory, me, POOL_EDGES);
    this.payloads = new Payloads(memory, me);
    const allocate = (words: number) => memory.addRegions(Math.ceil(words / REGION_WORDS));
    const levelAt = (offset: number, innerOffset: number): Level => {
      const dequeAt = (thread: number, at: number) => new Deque(memory, layout.blockOf(thread) + at, allocate);
      const inner = dequeAt(MAIN, innerOffset);
      const deques = Array.from({ length: layout.threads }, (_, thread) => dequeAt(thread, offset));
      return { deques: [...deques, inner], own: deques[me], inner };
    };
    this.normal = levelAt(B_DEQUE, B_INNER);
    this.high = levelAt(B_DEQUE_HIGH, B_INNER_HIGH);
    this.low = levelAt(B_DEQUE_LOW, B_INNER_LOW);
    this.deque = this.normal.own;
    this.fifo = layout.threads === 2;
    this.alone = layout.threads === 1;
    this.ordered = this.fifo || this.alone;
    this.highFirst = [this.high, this.normal, this.low];
    this.normalFirst = [this.normal, this.low, this.high];
    this.lowFirst = [this.low, this.normal, this.high];
    this.events = new (this.alone ? LoneEventCount : EventCount)(memory, layout.events, layout.threads);
    this.runner = runner;
    this.concurrency = concurrency;
    this.victim = me;
    this.endStretch = () => endStretch(this);
    // All jobs are the main thread's.
    if (this.alone) memory.i32[H_PRIORITIES] = HAD_MAIN;
    this.pinning = memory.i32[this.block + B_CROSSED] === 1;
    this.searchers = Math.max(1, (layout.threads - 1) >> 1);
  }

  /**
   * Enters the scheduler from a job or an event loop; pauses while a recovery is under way. Both here are plain accesses,
   * for speed: pause.ts says why that is enough.
   *
   * @returns what `leave` is to be given
   */
  enter(): number {
    const { base, phase } = this;
    const before = base[phase];
    base[phase] = INSIDE;
    // Already inside, what is shared may be half changed.
    if (base[H_EPOCH] !== this.epoch && before !== INSIDE) this.#catchUp(before);
    return before === DOZING ? this.#stir() : before;
  }

  /** Code on this thread goes on while the thread's loop is asleep: so the thread is awake, and the loop goes on after it. */
  #stir(): number {
    const { events, me } = this;
    // A wake that has come already may be for work, from which this code keeps the thread: another may take that.
    if (events.cancel(me, TURNING)) events.notifyOne();
    this.setActivity(BUSY);
    events.resume(me);
    return OUTSIDE;
  }

  /** Whether this thread's loop sleeps, and no code on this thread has entered the scheduler since. */
  get dozing(): boolean {
    return this.base[this.phase] === DOZING;
  }

  /** Leaves the scheduler: nothing that is shared is half changed, and this thread has no job in hand that is not noted. */
  leave(before = OUTSIDE): void {
    this.base[this.phase] = before;
  }

  #catchUp(before: number): void {
    const { base: i32, phase: word } = this;
    for (;;) {
      // Settles with who recovers: it sees our phase, or we its epoch.
      const epoch = Atomics.load(i32, H_EPOCH);
      if ((epoch & 1) === 0) {
        this.epoch = epoch;
        this.takeIn();
        return;
      }
      Atomics.store(i32, word, before);
      // Bounded: a recovery that cannot pause all threads soon gives up.
      Atomics.wait(i32, H_EPOCH, epoch);
      Atomics.store(i32, word, INSIDE);
    }
  }

  /** Leaves for good, with an exit code. */
  noteExit(code: number): void {
    this.base[this.block + B_EXIT] = code + 1;
  }

  /** From now on, others may look at slots of this thread. */
  notePinning(): void {
    this.pinning = true;
    this.memory.i32[this.block + B_CROSSED] = 1;
  }

  /** How many jobs are in this thread's deque and not published: see ready.ts. */
  get held(): number {
    return this.base[this.block + B_HELD_BACK];
  }

  set held(count: number) {
    this.base[this.block + B_HELD_BACK] = count;
  }

  /** Jobs of this group that this thread has finished and not yet counted: see group.ts. */
  get countedGroup(): number {
    return this.base[this.block + B_GROUP];
  }

  set countedGroup(group: number) {
    this.base[this.block + B_GROUP] = group;
  }

  get counted(): number {
    return this.base[this.block + B_COUNTED];
  }

  set counted(count: number) {
    this.base[this.block + B_COUNTED] = count;
  }

  /** RUNNING, STOPPING, CANCELLING, STOPPED or DEAD. */
  get state(): number {
    // Set by the main thread's shutdown; whoever sees it late acts on it one job later.
    return Atomics.load(this.memory.i32, H_STATE);
  }

  /** Tells threads that wait for room in the arena whether this one may still finish jobs. */
  setActivity(activity: number): void {
    // Read by threads that decide whether waiting for room can help: see room.ts.
    Atomics.store(this.memory.i32, this.block + B_ACTIVITY, activity);
  }

  /** Whether any thread but this one is at work. */
  get othersBusy(): boolean {
    const { memory, me, threads } = this;
    for (let thread = 0; thread < threads; thread++) {
      if (thread === me) continue;
      // Pairs with setActivity.
      const activity = Atomics.load(memory.i32, memory.layout.blockOf(thread) + B_ACTIVITY);
      if (activity === BUSY) return true;
    }
    return false;
  }
}

export { AT_REST, BUSY, IDLE };
