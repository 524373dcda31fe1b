/** Runs job functions and hands outcomes to their handles: what the scheduler asks of the layers above. */
import {
  C_NAME,
  COUNT_MASK,
  F_CONTROLLED,
  F_GROUP,
  FUNCTION_BITS,
  FUNCTION_MASK,
  G_FAILURE,
  S_FAILURE,
  S_FUNCTION,
  S_OWNER,
  SLOT_LOG,
  slotAt,
  slotIndex,
} from "../memory/layout.js";
import { contextsInUse, now, receivesAtOnce } from "../platform/host.js";
import { suspend } from "../scheduler/asynchronous.js";
import type { Context, Runner } from "../scheduler/context.js";
import {
  controlOf,
  hasEnded,
  isTold,
  letGo,
  noteRetries,
  reasonFor,
  releaseTold,
  retriesOf,
  wasAborted,
} from "../scheduler/control.js";
import { endsInTime } from "../scheduler/controlled.js";
import { dropSuspended, finishSuspended } from "../scheduler/finish.js";
import { isUnscheduled } from "../scheduler/graph.js";
import { rankAround } from "../scheduler/rank.js";
import { isPrivate, keepSlot, leaveUndelivered, releaseSlot, retire } from "../scheduler/slots.js";
import { type Codec, FEW } from "../values/codec.js";
import { isInstance } from "../values/describe.js";
import {
  DETAILS_LOST,
  dependentFromBytes,
  dependentToBytes,
  type Failure,
  failureFromBytes,
  failureToBytes,
  firstOf,
  storeFailure,
} from "../values/failures.js";
import { NoRoom, TooLarge } from "../values/room.js";
import { loadString } from "../values/strings.js";
import { isThenable } from "../values/thenable.js";
import type { Cancellations } from "./cancellations.js";
import type { Engine } from "./engine.js";
import { ArenaFullError, DependencyFailedError, JobCancelledError, ShutdownError, tooLargeToCopy } from "./errors.js";
import { FailureReader, failureOf, toError } from "./failure-errors.js";
import type { Functions } from "./functions.js";
import type { Group } from "./group.js";
import { Job } from "./job.js";
import { heeded, type JobContexts } from "./job-contexts.js";
import type { JobSignals } from "./job-signals.js";
import { Lending, type Loan } from "./lending.js";
import { type Deferred, DONE, FAILED, Outcomes, SHARING, SHARING_LOG } from "./outcomes.js";

export class JobRunner implements Runner {
  readonly openGroups = new Set<Group>();
  /** Which jobs' handles were given to other jobs. */
  readonly lending = new Lending((loan) => this.#endLoan(loan));
  readonly #functions: Functions;
  readonly #report: (error: Error) => void;
  #context!: Context;
  #codec!: Codec;
  #reader!: FailureReader;
  #cancellations!: Cancellations;
  #signals!: JobSignals;
  #contexts!: JobContexts;
  /** Where the outcome of each slot's job goes: the number of the outcomes and the place in them; or NOWHERE or KEPT. */
  #places = new Int32Array(0);
  /** The outcomes with pending jobs, by number; and numbers that are free. */
  readonly #outcomes: (Outcomes | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  /** The outcomes with room for more jobs, by function. */
  readonly #open: (Outcomes | undefined)[];
  /** Functions whose results may be large: each of their jobs has `Outcomes` of its own, lest it keep others' results alive. */
  readonly #apart: boolean[];
  /** Failed jobs that nobody had waited for when they failed. */
  #unobserved: { outcomes: Outcomes; place: number }[] = [];
  /** Called when a job has failed and nobody has waited for it yet. */
  onUnobserved: () => void = () => {};

  constructor(functions: Functions, report: (error: Error) => void) {
    this.#functions = functions;
    this.#report = report;
    this.#open = new Array(functions.names.length + 1).fill(undefined);
    this.#apart = new Array(functions.names.length + 1).fill(false);
  }

  attach(engine: Engine): void {
    this.#context = engine.context;
    this.#codec = engine.codec;
    this.#reader = new FailureReader(engine.codec.cloner);
    this.#cancellations = engine.cancellations;
    this.#signals = engine.signals;
    this.#contexts = engine.contexts;
  }

  /** Makes the handle of a new job. */
  handleFor(engine: Engine, slot: number, functionId: number): Job<unknown> {
    let outcomes = this.#open[functionId];
    if (outcomes === undefined || outcomes.full) outcomes = this.#openOutcomes(engine, functionId);
    const place = outcomes.take();
    const index = slotIndex(slot);
    if (index >= this.#places.length) this.#growPlaces(index);
    this.#places[index] = (outcomes.number << SHARING_LOG) | place;
    return new Job(outcomes, slot, place);
  }

  #openOutcomes(engine: Engine, functionId: number): Outcomes {
    const number = this.#freeNumbers.pop() ?? this.#outcomes.length;
    const outcomes = new Outcomes(engine, functionId, number, this.#apart[functionId] ? 1 : SHARING);
    this.#outcomes[outcomes.number] = outcomes;
    this.#open[functionId] = outcomes;
    return outcomes;
  }

  #growPlaces(index: number): void {
    const larger = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(1024, index + 1)))).fill(NOWHERE);
    larger.set(this.#places);
    this.#places = larger;
  }

  run(slot: number, header: number): boolean {
    const fn = this.#functions.get(header & FUNCTION_MASK);
    if (header & F_CONTROLLED) return this.#runControlled(fn, slot, header);
    const apart = contextsInUse;
    let result: unknown;
    try {
      // Here, and not in a function of its own, as each one on the stack makes it less deep that jobs can wait inside jobs.
      result = apart ? this.#callApart(fn, slot, header) : this.#call(fn, slot, header);
    } catch (error) {
      if (contextsInUse && !apart) this.#contexts.leaveNone(undefined);
      this.#context.enter();
      this.#fail(slot, error);
      return false;
    }
    this.#context.enter();
    try {
      if (contextsInUse && !apart) result = this.#contexts.leaveNone(result);
      if (isThenable(result)) {
        void this.#suspend(slot, header, result);
        return true;
      }
      if (header & F_GROUP) return false;
      // Whoever is both the owner and the finisher need not take the result to shared memory and back.
      if ((typeof result === "number" || result === undefined) && isPrivate(this.#context, slot)) {
        this.#deliverResult(slot, result);
        return true;
      }
      this.#codec.writeResult(slot, result);
    } catch (error) {
      this.#fail(slot, error);
    }
    return false;
  }

  /** As `run`, for a job that may have been cancelled or timed out when its function returns: then its outcome may not count. */
  #runControlled(fn: (...args: unknown[]) => unknown, slot: number, header: number): boolean {
    const apart = contextsInUse;
    let result: unknown;
    try {
      try {
        result = apart ? this.#callApart(fn, slot, header) : this.#call(fn, slot, header);
      } finally {
        if (contextsInUse && !apart) result = this.#contexts.leaveNone(result);
        this.#context.enter();
      }
      if (isThenable(result)) {
        void this.#suspend(slot, header, result);
        return true;
      }
    } catch (error) {
      if (!this.#endsInTime(slot)) return true;
      this.#fail(slot, error);
      return false;
    }
    if (!this.#endsInTime(slot)) return true;
    this.#writeResult(slot, result);
    return false;
  }

  /** Whether a job is to keep its arguments, as it may be run once more. */
  #mayRunAgain(slot: number, header: number): boolean {
    return (header & F_CONTROLLED) !== 0 && retriesOf(this.#context, slot) > 0;
  }

  /** A job with a control record is over. @returns false if its outcome does not count, and its slot is not ours any more */
  #endsInTime(slot: number): boolean {
    this.#signals.forget(slot);
    // As long as the slot is surely ours, and before the result is written in their place.
    if (retriesOf(this.#context, slot) > 0) {
      noteRetries(this.#context, slot, 0);
      this.drop(slot);
    }
    return endsInTime(this.#context, slot);
  }

  #writeResult(slot: number, result: unknown): void {
    try {
      this.#codec.writeResult(slot, result);
    } catch (error) {
      this.#setFailure(slot, { kind: "threw", job: this.nameIn(slot), error: asCause(error) });
    }
  }

  #fail(slot: number, error: unknown): void {
    const job = this.nameIn(slot);
    if (this.#isControlled(slot) && wasAborted(this.#context, slot)) {
      this.#setFailure(slot, { kind: "cancelled", job, started: true, cause: asCause(error) });
    } else this.#setFailure(slot, { kind: "threw", job, error: asCause(error) });
  }

  #isControlled(slot: number): boolean {
    return (this.#context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] & F_CONTROLLED) !== 0;
  }

  /** The job has given a promise, and is done when that settles. */
  async #suspend(slot: number, header: number, promise: PromiseLike<unknown>): Promise<void> {
    this.#functions.noteAsynchronous(header & FUNCTION_MASK);
    suspend(this.#context);
    const rank = rankAround(this.#context.rank);
    let failed = false;
    let outcome: unknown;
    try {
      // Whatever the promise's own `then` does, this goes on once.
      outcome = await promise;
    } catch (error) {
      failed = true;
      outcome = error;
    }
    const before = this.#context.enter();
    // What follows it has its rank, as if it had not been suspended.
    this.#context.rank = rank;
    try {
      this.#endSuspended(slot, header, failed, outcome);
    } finally {
      this.#context.rank = 0;
      this.#context.leave(before);
    }
  }

  #endSuspended(slot: number, header: number, failed: boolean, outcome: unknown): void {
    if (header & F_CONTROLLED && !this.#endsInTime(slot)) {
      dropSuspended(this.#context);
      return;
    }
    if (failed) this.#fail(slot, outcome);
    else if ((header & F_GROUP) === 0) this.#writeResult(slot, outcome);
    finishSuspended(this.#context, slot);
  }

  /** As `#call`, in the job's context. */
  #callApart(fn: (...args: unknown[]) => unknown, slot: number, header: number): unknown {
    const contexts = this.#contexts;
    const context = contexts.enter(slot);
    try {
      return context.runInAsyncScope(this.#callThere, this, fn, slot, header);
    } finally {
      contexts.leave();
    }
  }

  #callThere(fn: (...args: unknown[]) => unknown, slot: number, header: number): unknown {
    return heeded(this.#call(fn, slot, header));
  }

  /** Calls a job's function, and leaves the scheduler for it: whoever calls this enters again, also when it throws. */
  #call(fn: (...args: unknown[]) => unknown, slot: number, header: number): unknown {
    const count = (header >>> FUNCTION_BITS) & COUNT_MASK;
    if (count === 0) {
      this.#context.leave();
      return fn();
    }
    const codec = this.#codec;
    const context = this.#context;
    if (count > FEW || header & F_CONTROLLED) {
      const args = this.#mayRunAgain(slot, header)
        ? codec.readArgumentsAgain(slot, header)
        : codec.readArguments(slot, header);
      context.leave();
      return fn(...args);
    }
    const a = codec.read(codec.firstArgument(slot, header));
    const b = count > 1 ? codec.read(codec.nextCell) : undefined;
    const c = count > 2 ? codec.read(codec.nextCell) : undefined;
    const d = count > 3 ? codec.read(codec.nextCell) : undefined;
    context.leave();
    if (count === 1) return fn(a);
    if (count === 2) return fn(a, b);
    return count === 3 ? fn(a, b, c) : fn(a, b, c, d);
  }

  deliver(slot: number): void {
    this.#context.outstanding.remove(slot);
    if (!receivesAtOnce && this.#isUnread(slot)) return;
    // No job is lent before a handle was written, which sets this.
    const loan = this.#context.pinning ? this.lending.loanOf(slot) : undefined;
    if (loan === undefined) this.#takeOver(slot);
    else this.#copyOf(loan);
  }

  hasArguments(slot: number, header: number): boolean {
    return this.#codec.argumentsAreHere(slot, header);
  }

  /** Whether the result of a finished job, for which somebody has a handle here, cannot be read yet. */
  #isUnread(slot: number): boolean {
    const { memory, unread } = this.#context;
    const index = slotIndex(slot);
    const awaited = index < this.#places.length && this.#places[index] >= 0;
    const failed = memory.i32[(slot << SLOT_LOG) + S_FAILURE] !== 0;
    if (!awaited || failed || this.#codec.resultIsHere(slot)) {
      unread.delete(slot);
      return false;
    }
    this.#keep(slot);
    unread.add(slot);
    return true;
  }

  /** Takes over the outcomes that can be read by now, after shared objects have arrived. */
  readArrived(): void {
    for (const slot of [...this.#context.unread]) this.deliver(slot);
  }

  #takeOver(slot: number): void {
    if (!retire(this.#context, slot)) {
      this.#keep(slot);
      leaveUndelivered(this.#context, slot);
      return;
    }
    const place = this.#leave(slot);
    const failure = this.#context.memory.i32[(slot << SLOT_LOG) + S_FAILURE];
    if (failure !== 0) {
      this.#deliverFailure(slot, place, failure);
      return;
    }
    // The outcome is known here; or the thread that had the handle has died, or everything was given up already.
    if (place < 0) {
      this.#codec.dropResult(slot);
      this.#release(slot);
      return;
    }
    let result: unknown;
    try {
      result = this.#codec.readResult(slot);
    } catch (error) {
      this.#deliverFailure(slot, place, this.store({ kind: "threw", job: this.nameIn(slot), error }));
      return;
    }
    this.#release(slot);
    this.#settleWith(place, result);
  }

  /** Takes over the result of a private job that has just run here. */
  #deliverResult(slot: number, result: unknown): void {
    this.#context.outstanding.remove(slot);
    retire(this.#context, slot);
    const place = this.#leave(slot);
    this.#release(slot);
    this.#settleWith(place, result);
  }

  /** Takes a copy of the outcome of a finished job that is lent: its slot stays as it is. */
  #copyOf(loan: Loan): void {
    const { slot } = loan;
    const place = this.#leave(slot);
    this.#places[slotIndex(slot)] = KEPT;
    if (place === KEPT) {
      loan.toldAgain = true;
      return;
    }
    this.#keep(slot);
    const failure = this.#context.memory.i32[(slot << SLOT_LOG) + S_FAILURE];
    if (failure !== 0) {
      this.#settleWithError(slot, place, this.errorIn(failure, this.#nameAt(place)));
      return;
    }
    let result: unknown;
    try {
      result = this.#codec.readResultAgain(slot);
    } catch (error) {
      this.#settleWithError(slot, place, toError({ kind: "threw", job: this.nameIn(slot), error }));
      return;
    }
    this.#settleWith(place, result);
  }

  /** The slot of a finished job is not yet to be released. */
  #keep(slot: number): void {
    // Else somebody has still to take it from a queue, or executes it although its time is over.
    if (!this.#isControlled(slot) || hasEnded(this.#context, slot)) keepSlot(this.#context, slot);
  }

  /** A job is lent no more. */
  #endLoan({ slot, toldAgain }: Loan): void {
    if (this.#places[slotIndex(slot)] !== KEPT) return;
    const twice = toldAgain && this.#isControlled(slot) && isTold(this.#context, slot);
    this.#takeOver(slot);
    if (twice) this.#takeOver(slot);
  }

  #settleWith(place: number, result: unknown): void {
    const outcomes = this.#outcomes[place >>> SHARING_LOG] as Outcomes;
    const waiting = this.#settle(outcomes, place, DONE, result);
    if (waiting === undefined) return;
    waiting.resolve(result);
    this.settledPromises++;
  }

  /** The slot is no longer its job's. @returns where the outcome goes */
  #leave(slot: number): number {
    const index = slotIndex(slot);
    if (index >= this.#places.length) return NOWHERE;
    const place = this.#places[index];
    this.#places[index] = NOWHERE;
    this.#contexts.forget(slot);
    // What it was lent, it needs no more.
    if (this.#context.pinning) this.lending.end(slot);
    return place;
  }

  #deliverFailure(slot: number, place: number, failure: number): void {
    if (place >= 0) {
      this.#settleWithError(slot, place, this.errorOf(failure, this.#nameAt(place)));
      this.#release(slot);
      return;
    }
    // Its outcome was taken over before; or the thread that had the handle has died.
    if (place === NOWHERE && this.#isControlled(slot) && releaseTold(this.#context, slot)) return;
    if (failure !== DETAILS_LOST) this.#context.payloads.free(failure);
    this.#release(slot);
  }

  #nameAt(place: number): string {
    return (this.#outcomes[place >>> SHARING_LOG] as Outcomes).nameOf(place);
  }

  #settleWithError(slot: number, place: number, error: Error): void {
    const outcomes = this.#outcomes[place >>> SHARING_LOG] as Outcomes;
    if (error instanceof JobCancelledError && (!error.started || error.killed))
      adoptReason(error, this.#cancellations.reasonOf(slot));
    const waiting = this.#settle(outcomes, place, FAILED, error);
    if ((outcomes.observed & (1 << place)) === 0 && !isCancellation(error)) {
      this.#unobserved.push({ outcomes, place });
      this.onUnobserved();
    }
    if (waiting === undefined) return;
    waiting.reject(error);
    this.settledPromises++;
  }

  /** The outcome of a job is taken over: gives its slot back, unless somebody still has that. */
  #release(slot: number): void {
    if (!this.#isControlled(slot)) {
      releaseSlot(this.#context, slot);
      return;
    }
    this.#cancellations.forget(slot);
    letGo(this.#context, slot);
  }

  #settle(outcomes: Outcomes, place: number, state: number, outcome: unknown): Deferred<unknown> | undefined {
    if (mayBeLarge(outcome)) {
      this.#apart[outcomes.functionId] ||= state === DONE;
      outcomes.close();
    }
    const waiting = outcomes.settle(place, state, outcome);
    if (outcomes.finished) {
      if (this.#open[outcomes.functionId] === outcomes) this.#open[outcomes.functionId] = undefined;
      this.#outcomes[outcomes.number] = undefined;
      this.#freeNumbers.push(outcomes.number);
    }
    return waiting;
  }

  /** How those workers have ended whose jobs are given up. */
  readonly deaths = new Map<number, Ending>();

  /** Promises settled so far, of jobs and of groups; the listener compares it with those it has made. */
  settledPromises = 0;

  drop(slot: number): void {
    const header = this.#context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION];
    this.#codec.drop(slot, header);
  }

  copyOutcome(from: number, to: number): void {
    const { memory } = this.#context;
    const failure = memory.i32[(from << SLOT_LOG) + S_FAILURE];
    if (failure !== 0) {
      const copy = failure === DETAILS_LOST ? 0 : this.#context.payloads.copy(failure);
      memory.i32[(to << SLOT_LOG) + S_FAILURE] = copy || DETAILS_LOST;
      return;
    }
    try {
      this.#codec.copyResult(from, to);
    } catch {
      memory.i32[(to << SLOT_LOG) + S_FAILURE] = DETAILS_LOST;
    }
  }

  taint(target: number, source: number): void {
    if (this.#hasFailed(target)) return;
    const block = this.#context.memory.i32[(source << SLOT_LOG) + S_FAILURE];
    const bytes =
      block === DETAILS_LOST
        ? failureToBytes(this.#codec.cloner, { kind: "lost", job: this.nameIn(source) })
        : this.#context.payloads.bytes(block);
    // The first failure as it is: to read it and to write it again would take many times as long.
    const first = dependentFromBytes(bytes)?.first ?? bytes;
    this.#setStored(target, this.#context.payloads.store(dependentToBytes(this.nameIn(target), first)));
  }

  /** Makes `target` fail because something before it failed with `failure`. */
  taintWith(target: number, failure: Failure): void {
    this.#setFailure(target, { kind: "dependency", job: this.nameIn(target), first: firstOf(failure) });
  }

  crash(slot: number, thread: number): void {
    const ending = this.deaths.get(thread) as Ending;
    this.#setFailure(slot, { kind: "crashed", job: this.nameIn(slot), ...ending });
  }

  cancel(slot: number): void {
    this.#setFailure(slot, { kind: "shutdown", job: this.nameIn(slot) });
  }

  abort(slot: number): void {
    const cause = this.#cancellations.reasonOf(slot);
    const block = this.store({ kind: "cancelled", job: this.nameIn(slot), started: false, cause });
    // Takes the place of the failure of something before it. Settles with those that fail just now: they find this one.
    const before = Atomics.exchange(this.#context.memory.i32, (slot << SLOT_LOG) + S_FAILURE, block);
    if (before !== 0 && before !== DETAILS_LOST) this.#context.payloads.free(before);
  }

  /** Makes `slot`, which had started, fail because it was cancelled, and its worker ended. */
  endAborted(slot: number): void {
    const cause = this.#cancellations.reasonOf(slot) ?? this.readReason(reasonFor(this.#context, slot));
    this.#setFailure(slot, { kind: "cancelled", job: this.nameIn(slot), started: true, cause, killed: true });
  }

  /** Stores a signal's reason. @returns the payload, or DETAILS_LOST */
  storeReason(reason: unknown): number {
    return this.store({ kind: "cancelled", job: "", started: true, cause: reason });
  }

  /** Reads a signal's reason, as far as it could be copied; else gives undefined. */
  readReason(block: number): unknown {
    if (block === 0 || block === DETAILS_LOST) return undefined;
    const failure = failureFromBytes(this.#codec.cloner, this.#context.payloads.bytes(block), "");
    return failure.kind === "cancelled" ? failure.cause : undefined;
  }

  timeOut(slot: number, limit: number): void {
    this.#setFailure(slot, { kind: "timeout", job: this.nameIn(slot), timeout: limit });
  }

  now(): number {
    return now();
  }

  store(failure: Failure): number {
    return storeFailure(this.#context.payloads, this.#codec.cloner, failure);
  }

  /** An error that `errorOf` has made, as bytes for another thread. */
  errorToBytes(error: Error): Uint8Array {
    return failureToBytes(this.#codec.cloner, failureOf(error, "(unknown)"));
  }

  errorFromBytes(bytes: Uint8Array): Error {
    return this.#reader.errorFrom(bytes, "(unknown)");
  }

  /** The error for a stored failure, whose payload is freed. */
  errorOf(block: number, job: string): Error {
    const { payloads } = this.#context;
    const error = this.errorIn(block, job);
    if (block !== DETAILS_LOST) payloads.free(block);
    return error;
  }

  /** As `errorOf`; the payload stays. */
  errorIn(block: number, job: string): Error {
    if (block === DETAILS_LOST) return toError({ kind: "lost", job });
    return this.#reader.errorFrom(this.#context.payloads.bytes(block), job);
  }

  /** The name of the job in a slot: its own, or its function's. */
  nameIn(slot: number): string {
    const header = this.#context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION];
    const name = header & F_CONTROLLED ? this.#ownName(slot) : undefined;
    return name ?? this.#functions.nameOf(header & FUNCTION_MASK);
  }

  #ownName(slot: number): string | undefined {
    const { memory, payloads } = this.#context;
    const control = controlOf(this.#context, slot);
    const block = memory.i32[control + C_NAME];
    return block === 0 ? undefined : loadString(payloads, Math.abs(block), block > 0);
  }

  /** Whether there are failures that `reportUnobserved` would look at. */
  get anyUnobserved(): boolean {
    return this.#unobserved.length > 0;
  }

  /** Reports the failures that nobody has waited for since. */
  reportUnobserved(): void {
    if (this.#unobserved.length === 0) return;
    const failed = this.#unobserved;
    this.#unobserved = [];
    for (const { outcomes, place } of failed) {
      if ((outcomes.observed & (1 << place)) === 0) this.#report(outcomes.valueOf(place) as Error);
    }
  }

  /** How many jobs of this thread were spawned and never scheduled, by function name. */
  unscheduledByName(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.#places.forEach((place, index) => {
      const slot = slotAt(index);
      if (place < 0 || !isUnscheduled(this.#context, slot)) return;
      const name = this.nameIn(slot);
      counts[name] = (counts[name] ?? 0) + 1;
    });
    return counts;
  }

  /** Fails all handles that are still pending, and reports what nobody has waited for. */
  abandon(error: ShutdownError): void {
    const report = (failure: Error) => {
      if (!isCancellation(failure)) this.#report(failure);
    };
    this.#places.forEach((place, index) => {
      if (place < 0) return;
      const outcomes = this.#outcomes[place >>> SHARING_LOG] as Outcomes;
      // A job that was never scheduled may hide the failure of one before it.
      const failure = this.#context.memory.i32[(slotAt(index) << SLOT_LOG) + S_FAILURE];
      const observed = (outcomes.observed & (1 << place)) !== 0;
      if (failure !== 0 && !observed) report(this.errorOf(failure, outcomes.nameOf(place)));
      const waiting = this.#settle(outcomes, place, FAILED, error);
      if (waiting === undefined) return;
      waiting.reject(error);
      this.settledPromises++;
    });
    this.#places.fill(NOWHERE);
    this.#context.unread.clear();
    this.lending.clear();
    // Failures of groups that nobody has waited for.
    for (const group of this.openGroups) group._abandon(error, report);
    this.openGroups.clear();
    this.reportUnobserved();
  }

  /** Whether a job is known to have failed already: only its first failure counts. */
  #hasFailed(slot: number): boolean {
    const { memory } = this.#context;
    const address = slot << SLOT_LOG;
    if (memory.i32[address + S_FAILURE] !== 0) return true;
    if ((memory.i32[address + S_FUNCTION] & F_GROUP) === 0) return false;
    // Of the jobs of a group, only the first one's.
    const group = memory.i32[address + S_OWNER];
    memory.reach(group);
    return memory.i32[group + G_FAILURE] !== 0;
  }

  #setFailure(slot: number, failure: Failure): void {
    // A plain read: a thread that reads an old value stores a failure that is then dropped.
    this.#setStored(slot, this.#hasFailed(slot) ? DETAILS_LOST : this.store(failure));
  }

  /** @param block the stored failure; 0 when there was no room for it */
  #setStored(slot: number, stored: number): void {
    const block = stored || DETAILS_LOST;
    const word = (slot << SLOT_LOG) + S_FAILURE;
    // Several prerequisites may fail at once on several threads: the first one is kept.
    if (Atomics.compareExchange(this.#context.memory.i32, word, 0, block) !== 0 && block !== DETAILS_LOST) {
      this.#context.payloads.free(block);
    }
  }
}

/** How a worker has ended. */
interface Ending {
  readonly exitCode: number;
  readonly reason: string;
  readonly killed: boolean;
}

/** In the table of places: the slot has no job of this thread. */
const NOWHERE = -1;
/** The same: its outcome is known here, and the slot is kept for jobs that it is lent to. */
const KEPT = -2;

function mayBeLarge(outcome: unknown): boolean {
  return (
    (typeof outcome === "object" && outcome !== null) || typeof outcome === "string" || typeof outcome === "bigint"
  );
}

/** Whether the failure is of the user's own making, a shutdown by force or an aborted signal, and needs no report. */
function isCancellation(error: Error): boolean {
  if (error instanceof DependencyFailedError) return isCancellation(error.cause as Error);
  return error instanceof ShutdownError || error instanceof JobCancelledError;
}

/** The signal's reason itself, in place of a copy of it. */
function adoptReason(error: JobCancelledError, value: unknown): void {
  if (value !== undefined) Object.defineProperty(error, "cause", { value });
}

/** What the user is told of what a job, or the writing of its result, has thrown. */
function asCause(error: unknown): unknown {
  if (isInstance(error, TooLarge)) return tooLargeToCopy("the result is", error.bytes);
  return isInstance(error, NoRoom) ? new ArenaFullError("shared memory has no room for the result") : error;
}
