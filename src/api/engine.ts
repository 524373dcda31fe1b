/** One thread's side of a job system: what `JobSystem` and `heddle/job` have in common. */

import type { Layout } from "../memory/layout.js";
import {
  AWAITED,
  CLOSED,
  CLOSING,
  F_CONTROLLED,
  F_GROUP,
  F_OBSERVER,
  FUNCTION_MASK,
  G_COUNT,
  G_FAILURE,
  S_CONTINUATIONS,
  S_FUNCTION,
  S_OWNER,
  SEALED,
  SLOT_LOG,
} from "../memory/layout.js";
import { elapsed, mayBlock } from "../platform/host.js";
import { Context, MAIN } from "../scheduler/context.js";
import { finishCancelled } from "../scheduler/controlled.js";
import { drainFinished } from "../scheduler/finish.js";
import * as graph from "../scheduler/graph.js";
import { freeGroup, makeGroup } from "../scheduler/group.js";
import { runMainJobs } from "../scheduler/main-loop.js";
import { endStretch, submitAll, submitReady } from "../scheduler/ready.js";
import { makeRoom, reclaim } from "../scheduler/room.js";
import { releaseGroupSlot, releaseSlot, retire, takeGroupSlot, takeSlot } from "../scheduler/slots.js";
import {
  ABANDONED,
  holdNothingBack,
  LOST,
  type Outsider,
  SETTLED,
  UNREAD,
  VAIN,
  waitFor,
  waitForOutsider,
} from "../scheduler/wait.js";
import { endAborted } from "../scheduler/watch.js";
import { Codec, FEW } from "../values/codec.js";
import { NoRoom, TooLarge } from "../values/room.js";
import type { Link } from "../values/shared-objects.js";
import { addHolder, removeHolder } from "./blocking.js";
import { Cancellations } from "./cancellations.js";
import { addMainEngine, removeMainEngine, setCurrent } from "./current.js";
import {
  ArenaFullError,
  DependencyCycleError,
  JobAlreadyScheduledError,
  mustNotBlock,
  ShutdownError,
  StaleJobError,
  tooLargeToCopy,
  WouldBlockError,
} from "./errors.js";
import { failureOf } from "./failure-errors.js";
import type { Functions } from "./functions.js";
import type { Group } from "./group.js";
import { HandleCodec } from "./handle-codec.js";
import { ForeignJob, isJob, type Job, NO_GENERATION } from "./job.js";
import { JobContexts } from "./job-contexts.js";
import { JobRunner } from "./job-runner.js";
import { JobSignals } from "./job-signals.js";
import { Listener } from "./listener.js";
import { type DONE, FAILED, PENDING } from "./outcomes.js";

export class Engine {
  readonly context: Context;
  readonly codec: Codec;
  readonly functions: Functions;
  readonly runner: JobRunner;
  readonly listener: Listener;
  /** What cancels jobs of this thread, and what jobs that run here hear of it. */
  readonly cancellations: Cancellations;
  readonly signals: JobSignals;
  readonly contexts: JobContexts;
  /** Called when a job was given a time limit. */
  onLimit: () => void = () => {};
  /** Ends a job of this thread that was asked to stop, with its worker; here if this is the main thread. */
  onAborted: (slot: number, state: number) => void = (slot, state) =>
    endAborted(this.context, slot, state, () => this.runner.endAborted(slot));
  readonly #publish = () => holdNothingBack(this.context);
  /** Why nothing more may be submitted from here, once that is so. */
  closed: ShutdownError | undefined;
  #ended = false;

  /** @param report called with a failure that nobody has waited for */
  constructor(
    buffer: SharedArrayBuffer | undefined,
    layout: Layout,
    me: number,
    functions: Functions,
    concurrency: number,
    links: readonly (Link | undefined)[],
    report: (error: Error) => void,
  ) {
    this.functions = functions;
    this.runner = new JobRunner(functions, report);
    this.context = new Context(buffer, layout, me, this.runner, concurrency, endStretch);
    this.codec = new Codec(this.context, links, new HandleCodec(this));
    this.context.takeIn = () => this.codec.objects.receive();
    this.signals = new JobSignals(this.context, (block) => this.runner.readReason(block));
    this.contexts = new JobContexts(this.context);
    const runHere = () => this.#executing(runMainJobs, undefined);
    this.listener = new Listener(this.context, this.runner, this.signals, runHere);
    this.cancellations = new Cancellations(
      this.context,
      (reason) => this.runner.storeReason(reason),
      (slot, state) => this.onAborted(slot, state),
      () => this.listener.settle(),
    );
    this.runner.attach(this);
  }

  /** To be called when the system is ready, before anything is submitted here. Ends with `abandon`. */
  open(): void {
    addHolder(this.#publish);
    if (this.context.me === MAIN) addMainEngine(this);
    this.listener.expect();
  }

  /** To be called when a turn of the event loop has brought something from another thread. */
  arrived(): void {
    if (this.#ended) return;
    const before = this.context.enter();
    try {
      this.codec.objects.receive();
      this.runner.readArrived();
    } finally {
      this.context.leave(before);
    }
    this.listener.settle();
  }

  /** Makes a job of the arguments `a` to `d`, or of `all` if there are more than FEW. */
  spawn(
    fn: unknown,
    count: number,
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    all: readonly unknown[],
  ): Job<unknown> {
    const before = this.context.enter();
    try {
      return this.#spawn(fn, 0, count, a, b, c, d, all);
    } finally {
      this.context.leave(before);
    }
  }

  /** As `spawn`, and schedules the job. */
  run(
    fn: unknown,
    count: number,
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    all: readonly unknown[],
  ): Job<unknown> {
    const before = this.context.enter();
    try {
      const job = this.#spawn(fn, SEALED, count, a, b, c, d, all);
      this.context.outstanding.add(job._slot);
      submitReady(this.context, job._slot);
      this.listener.expect();
      return job;
    } finally {
      this.context.leave(before);
    }
  }

  #spawn(
    fn: unknown,
    prerequisites: number,
    count: number,
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    all: readonly unknown[],
  ): Job<unknown> {
    if (this.closed !== undefined) this.checkOpen();
    const header = this.functions.headerOf(fn);
    let slot = takeSlot(this.context, 0, prerequisites, 0);
    if (slot === 0) slot = this.#takeWhenFull(header, () => takeSlot(this.context, 0, prerequisites, 0));
    const noted = count === 0 ? 0 : this.#writeArguments(slot, header, count, a, b, c, d, all);
    // Only now it counts as a job: see `takeSlot`.
    this.context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] = header | noted;
    return this.#handle(slot, header & FUNCTION_MASK);
  }

  link(first: Job<unknown>, next: Job<unknown>): void {
    const before = this.context.enter();
    try {
      if (!this.#linkUnscheduled(first, next)) this.#linkCarefully(first, next);
    } finally {
      this.context.leave(before);
    }
  }

  #linkCarefully(first: Job<unknown>, next: Job<unknown>): void {
    this.checkOpen();
    this.check(first, "the prerequisite");
    this.check(next, "the job after");
    first._observe();
    if (next._state !== PENDING || !this.#hold(next)) throw new JobAlreadyScheduledError(next.name);
    try {
      if (this.#unfinished(first) && this.#hold(first)) {
        try {
          this.#link(first, next);
        } finally {
          this.#letGo(first);
        }
      } else if (first._state === FAILED) {
        if (!graph.isUnscheduled(this.context, next._slot)) throw new JobAlreadyScheduledError(next.name);
        this.runner.taintWith(next._slot, failureOf(first._outcome, first.name));
      } else if (!graph.isUnscheduled(this.context, next._slot)) {
        throw new JobAlreadyScheduledError(next.name);
      }
    } finally {
      this.#letGo(next);
    }
  }

  /** The usual case in short: two jobs of this thread that nobody else knows of yet. @returns false if it is another */
  #linkUnscheduled(first: Job<unknown>, next: Job<unknown>): boolean {
    if (!(isJob(first) && isJob(next)) || this.context.pinning || this.closed !== undefined) return false;
    if (first._engine !== this || first._state !== PENDING || next._engine !== this || next._state !== PENDING)
      return false;
    const linked = graph.linkUnscheduled(this.context, first._slot, next._slot);
    if (linked) first._observe();
    return linked;
  }

  /** Whether a job has still to finish, as far as this thread knows: surely so while it is unscheduled. */
  #unfinished(job: Job<unknown>): boolean {
    return job._state === PENDING && (graph.isUnscheduled(this.context, job._slot) || !job.settled);
  }

  schedule(job: Job<unknown>): void {
    const before = this.context.enter();
    try {
      this.#schedule(job);
    } finally {
      this.context.leave(before);
    }
  }

  #schedule(job: Job<unknown>): void {
    this.check(job, "the job");
    if (job._state !== PENDING || !this.#hold(job)) return;
    try {
      if (this.closed !== undefined && graph.isUnscheduled(this.context, job._slot)) this.checkOpen();
      const cycle = graph.schedule(this.context, job._slot);
      if (cycle !== undefined) throw new DependencyCycleError(cycle.map((slot) => this.runner.nameIn(slot)).reverse());
    } finally {
      this.#letGo(job);
    }
    // It may have been cancelled before it was scheduled.
    if (!job._isForeign() && this.context.memory.i32[(job._slot << SLOT_LOG) + S_FUNCTION] & F_CONTROLLED) {
      finishCancelled(this.context, job._slot);
    }
    this.listener.expect();
  }

  wait<R>(job: Job<R>): R {
    const before = this.context.enter();
    try {
      return this.#wait(job);
    } finally {
      this.context.leave(before);
    }
  }

  #wait<R>(job: Job<R>): R {
    this.#checkBlocks(job);
    const own = this.#own(job);
    own._observe();
    if (!own._isSettled()) {
      if (graph.isUnscheduled(this.context, own._slot)) this.schedule(own);
      if (!own._isSettled()) this.#help(own);
    }
    if (own._state === FAILED) throw own._outcome;
    return own._outcome as R;
  }

  /**
   * Executes jobs until `target` has settled.
   *
   * @throws if it never will: DependencyCycleError if it waits for a job that waits here, ShutdownError if a worker has
   * died, or if it needs a suspended job that a shutdown by force does not wait for, WouldBlockError if it needs an
   * asynchronous job that nobody can go on with
   */
  help(target: Job<unknown> | Group): void {
    const before = this.context.enter();
    try {
      this.#checkBlocks(target);
      this.#help(target);
    } finally {
      this.context.leave(before);
    }
  }

  #help(target: Job<unknown> | Group): void {
    this.#checkWait(this.#executing(waitFor, target), target);
  }

  /** @throws WouldBlockError if a wait for `target` would block a thread that must not block */
  #checkBlocks(target: Job<unknown> | Group): void {
    if (!mayBlock && !this.context.alone && !target.settled) throw mustNotBlock("wait()", "await");
  }

  /** Executes jobs on this thread by `execute`; in one step, as each one on the stack makes it less deep that jobs can wait inside jobs. */
  #executing<T, R>(execute: (context: Context, target: T) => R, target: T): R {
    // On workers, this engine is always the current one.
    if (this.context.me !== MAIN) return execute(this.context, target);
    const before = setCurrent(this);
    try {
      return execute(this.context, target);
    } finally {
      setCurrent(before);
      this.listener.resume();
    }
  }

  /** @param outcome what `waitFor` has returned */
  #checkWait(outcome: number, target: Job<unknown> | Group): void {
    if (outcome === SETTLED) return;
    if (outcome === VAIN) throw this.context.lacking ? notBrought(target) : wouldBlock(target);
    if (outcome === ABANDONED) throw abandoned(target);
    if (outcome === UNREAD) throw notBrought(target);
    if (outcome === LOST)
      throw this.closed ?? new ShutdownError("the job system has stopped: a worker thread has died");
    const names = new Set([this.runner.nameIn(outcome), this.runner.nameIn(target._slot)]);
    throw new DependencyCycleError([...names]);
  }

  /**
   * Executes jobs until `target`, which notifies nobody here, has settled. For a thread that is executing a job.
   *
   * @returns false if it never will, as this thread is alone and has nothing more to execute
   */
  helpUntil(target: Outsider): boolean {
    const { context } = this;
    const before = context.enter();
    try {
      return this.#executing(waitForOutsider, target) === SETTLED;
    } finally {
      context.leave(before);
    }
  }

  /** Looks whether a pending job of this thread has finished. */
  look(job: Job<unknown>): void {
    const { context } = this;
    if (job._isForeign()) return;
    const { i32 } = context.memory;
    const word = (job._slot << SLOT_LOG) + S_CONTINUATIONS;
    // A plain read, as most looks are in vain; who sees an old value looks again.
    if ((i32[word] & (CLOSING | AWAITED)) === 0) return;
    // Pairs with the finisher's closing of the list: it touches the slot no more, and the result is there.
    const before = context.enter();
    try {
      if (Atomics.load(i32, word) === CLOSED) this.runner.deliver(job._slot);
      else drainFinished(context);
    } finally {
      context.leave(before);
    }
  }

  /** Has this thread told when a pending job of it has finished. */
  expectNotice(job: Job<unknown>): void {
    if (job._state !== PENDING) return;
    const word = (job._slot << SLOT_LOG) + S_CONTINUATIONS;
    // Settles with the finisher whether it tells us, or has finished already (CLOSED stays as it is).
    const before = Atomics.or(this.context.memory.i32, word, AWAITED);
    if (before === CLOSED) this.runner.deliver(job._slot);
    else this.context.outstanding.remove(job._slot);
  }

  promiseOf<R>(job: Job<R>): Promise<R> {
    const before = this.context.enter();
    try {
      return this.#promiseOf(job);
    } finally {
      this.context.leave(before);
    }
  }

  #promiseOf<R>(job: Job<R>): Promise<R> {
    if (job._isSettled() || job.settled) {
      job._observe();
      return this.listener.promiseOf(job);
    }
    let own: Job<R>;
    try {
      own = this.#own(job);
      own._observe();
      this.schedule(own);
      this.expectNotice(own);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.listener.promiseOf(own);
  }

  makeGroup(group: Group): number {
    this.checkOpen();
    const before = this.context.enter();
    const record = makeGroup(this.context);
    this.context.leave(before);
    if (record === 0) throw noMemory();
    this.runner.openGroups.add(group);
    // Its jobs may make others with a time limit.
    this.listener.expect();
    return record;
  }

  /** Runs a job in a group of this thread; its arguments are given as to `spawn`. */
  runInGroup(
    record: number,
    fn: unknown,
    count: number,
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    all: readonly unknown[],
  ): void {
    this.checkOpen();
    const { context } = this;
    const before = context.enter();
    try {
      const header = this.functions.headerOf(fn) | F_GROUP;
      let slot = takeGroupSlot(context, record);
      if (slot === 0) slot = this.#takeWhenFull(header, () => takeGroupSlot(context, record));
      const noted = count === 0 ? 0 : this.#writeArguments(slot, header, count, a, b, c, d, all);
      // As in #spawn.
      context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] = header | noted;
      submitReady(context, slot);
      context.memory.i32[record + G_COUNT]++;
    } finally {
      context.leave(before);
    }
  }

  listenTo(group: Group): void {
    this.listener.addGroup(group);
  }

  /** Frees a finished group's record. @returns its first failure */
  endGroup(group: Group, record: number): Error | undefined {
    const { context } = this;
    this.runner.openGroups.delete(group);
    const before = context.enter();
    try {
      const failure = context.memory.i32[record + G_FAILURE];
      this.runner.lending.end(groupBorrower(record));
      freeGroup(context, record);
      return failure === 0 ? undefined : this.runner.errorOf(failure, "(a job of a group)");
    } finally {
      context.leave(before);
    }
  }

  /** @throws ShutdownError if nothing may be submitted: after a shutdown, only jobs may do so until all has stopped */
  checkOpen(): void {
    if (this.closed !== undefined && !this.#inLateJob()) throw this.closed;
  }

  /** Whether a job runs here, or is suspended, although the system is being shut down. */
  #inLateJob(): boolean {
    return !this.#ended && (this.context.running !== 0 || this.context.suspended > 0);
  }

  /** A handle that has its outcome, of a job that is in no slot. @param name undefined: the job's is not known */
  settledHandle(state: typeof DONE | typeof FAILED, outcome: unknown, name?: string): Job<unknown> {
    const job = this.foreignHandle(0, NO_GENERATION, 0);
    if (name !== undefined) job._rename(name);
    job._outcomes.settle(0, state, outcome);
    return job;
  }

  /** A handle on this thread for a job of another. */
  foreignHandle(slot: number, generation: number, functionId: number): Job<unknown> {
    return new ForeignJob<unknown>(this, slot, generation, functionId);
  }

  #handle<R>(slot: number, id: number): Job<R> {
    return this.runner.handleFor(this, slot, id) as Job<R>;
  }

  /** The handle that will have the outcome on this thread: for a job of another thread, an observer's. */
  #own<R>(job: Job<R>): Job<R> {
    this.check(job, "the job");
    if (!job._isForeign() || job._state !== PENDING) return job;
    if (job._observer !== undefined) return job._observer;
    const header = job._functionId | F_OBSERVER;
    // Before the job is held: to find a slot may take executing others.
    let slot = takeSlot(this.context, header, 0, AWAITED);
    if (slot === 0) slot = this.#takeWhenFull(header, () => takeSlot(this.context, header, 0, AWAITED));
    if (!this.#hold(job)) {
      releaseSlot(this.context, slot);
      throw new StaleJobError(job.name);
    }
    try {
      const observer = this.#handle<R>(slot, job._functionId);
      this.#link(job, observer);
      job._observer = observer;
      return observer;
    } finally {
      this.#letGo(job);
    }
  }

  #link(first: Job<unknown>, next: Job<unknown>): void {
    const outcome = graph.link(this.context, first._slot, next._slot);
    if (outcome === graph.TOO_LATE) throw new JobAlreadyScheduledError(next.name);
    if (outcome === graph.NO_ROOM) throw noMemory();
  }

  /** Keeps a slot of another thread from being released. @returns false if it already was */
  #hold(job: Job<unknown>): boolean {
    return !job._isForeign() || graph.pin(this.context, job._slot, job._generation);
  }

  #letGo(job: Job<unknown>): void {
    if (job._isForeign()) graph.unpin(this.context, job._slot);
  }

  /** @throws TypeError unless `job` is a job of this system */
  check(job: unknown, what: string): asserts job is Job<unknown> {
    if (!isJob(job))
      throw new TypeError(`${what} must be a Job made by spawn or run, not ${job === null ? "null" : typeof job}`);
    if (job._engine !== this)
      throw new TypeError(
        `${what} "${job.name}" belongs to another JobSystem; jobs of two systems cannot depend on each other`,
      );
  }

  #takeWhenFull(header: number, take: () => number): number {
    const { context } = this;
    reclaim(context);
    this.listener.settle();
    let slot = take();
    if (slot !== 0) return slot;
    const since = elapsed();
    while (slot === 0) {
      const inJob = context.me !== MAIN || context.running !== 0;
      if (!inJob) submitAll(context);
      const worthwhile = inJob && makeRoom(context, since);
      // Also after a vain look at the others: they may have made room just before they fell idle.
      slot = take();
      if (slot === 0 && !worthwhile) {
        throw new ArenaFullError(
          `no room for job "${this.functions.nameOf(header & FUNCTION_MASK)}": ${context.memory.layout.maxJobs} jobs are live; wait for some of them, or give JobSystem.create a larger maxJobs`,
        );
      }
    }
    return slot;
  }

  /**
   * Writes arguments into a slot that was just taken; gives it back if that fails.
   *
   * @param all the arguments, if there are more than FEW
   * @returns what to note of them in the job's header
   */
  #writeArguments(
    slot: number,
    header: number,
    count: number,
    a: unknown,
    b: unknown,
    c: unknown,
    d: unknown,
    all: readonly unknown[],
  ): number {
    const { lending } = this.runner;
    const { mark } = lending;
    let noted: number;
    try {
      noted = count <= FEW ? this.codec.writeFew(slot, count, a, b, c, d) : this.codec.writeArguments(slot, all);
    } catch (error) {
      lending.withdraw(mark);
      this.#refuse(slot, header, error);
    }
    if (lending.mark !== mark) lending.sign(this.#borrower(slot, header), mark);
    return noted;
  }

  /** What `Lending` knows a job by: its slot; a job of a group by that. */
  #borrower(slot: number, header: number): number {
    return header & F_GROUP ? groupBorrower(this.context.memory.i32[(slot << SLOT_LOG) + S_OWNER]) : slot;
  }

  /** Gives back the slot of a job whose arguments could not be written. */
  #refuse(slot: number, header: number, error: unknown): never {
    if (header & F_GROUP) releaseGroupSlot(this.context, slot);
    else {
      retire(this.context, slot);
      releaseSlot(this.context, slot);
    }
    const name = this.functions.nameOf(header & FUNCTION_MASK);
    if (error instanceof TooLarge) throw tooLargeToCopy(`job "${name}": the arguments are`, error.bytes);
    if (error instanceof NoRoom) throw noMemory();
    if (error instanceof DOMException) throw new DOMException(`job "${name}": ${error.message}`, error.name);
    throw error;
  }

  /** Takes over the outcomes of all jobs that have finished. */
  takeOver(): void {
    reclaim(this.context);
    this.listener.settle();
  }

  /** Fails handles that will never settle, because the system has stopped. */
  abandon(error: ShutdownError): void {
    this.#ended = true;
    this.takeOver();
    this.cancellations.clear();
    this.runner.abandon(error);
    this.listener.settle();
    removeHolder(this.#publish);
    removeMainEngine(this);
  }
}

/** Apart from the numbers of slots. */
function groupBorrower(record: number): number {
  return -record;
}

function whatIs(target: Job<unknown> | Group): string {
  return isJob(target) ? `job "${target.name}"` : "the group";
}

function abandoned(target: Job<unknown> | Group): ShutdownError {
  return new ShutdownError(
    `wait() for ${whatIs(target)} can never end: it depends on an asynchronous job, and the job system was shut down by force before that had finished`,
  );
}

function wouldBlock(target: Job<unknown> | Group): WouldBlockError {
  return new WouldBlockError(
    `wait() for ${whatIs(target)} can never end: it depends on an asynchronous job, and every thread that could go on with one waits synchronously; use await in place of wait() in jobs`,
  );
}

function notBrought(target: Job<unknown> | Group): WouldBlockError {
  return new WouldBlockError(
    `wait() for ${whatIs(target)} can never end: it needs a shared buffer of another thread, and in a browser that comes to this thread only when its event loop turns; use await in place of wait(), or give the buffer to the job that waits`,
  );
}

function noMemory(): ArenaFullError {
  return new ArenaFullError(
    "shared memory has no room for these arguments; wait for jobs to finish, or pass large data as typed arrays on shared memory",
  );
}
