/** Runs job functions and hands outcomes to their handles: what the scheduler asks of the layers above. */
import {
  COUNT_MASK,
  F_GROUP,
  FUNCTION_BITS,
  FUNCTION_MASK,
  S_FAILURE,
  S_FUNCTION,
  SLOT_LOG,
  slotIndex,
} from "../memory/layout.js";
import type { Context, Runner } from "../scheduler/context.js";
import { releaseSlot, retire } from "../scheduler/slots.js";
import { type Codec, FEW, NoRoom } from "../values/codec.js";
import {
  DETAILS_LOST,
  type Failure,
  failureFromBytes,
  failureToBytes,
  firstOf,
  loadFailure,
  storeFailure,
} from "../values/failures.js";
import { ArenaFullError, DependencyFailedError, JobFailedError, ShutdownError } from "./errors.js";
import type { Functions } from "./functions.js";
import type { Group } from "./group.js";
import { DONE, FAILED, type Job } from "./job.js";

export class JobRunner implements Runner {
  readonly openGroups = new Set<Group>();
  readonly #functions: Functions;
  readonly #report: (error: Error) => void;
  #context!: Context;
  #codec!: Codec;
  #handles: (Job<unknown> | undefined)[] = [];
  /** Failed jobs that nobody had waited for when they failed. */
  #unobserved: Job<unknown>[] = [];
  /** Called when a job has failed and nobody has waited for it yet. */
  onUnobserved: () => void = () => {};

  constructor(functions: Functions, report: (error: Error) => void) {
    this.#functions = functions;
    this.#report = report;
  }

  attach(context: Context, codec: Codec): void {
    this.#context = context;
    this.#codec = codec;
  }

  setHandle(slot: number, job: Job<unknown>): void {
    const index = slotIndex(slot);
    if (index >= this.#handles.length) this.#handles = this.#handles.concat(new Array(Math.max(1024, index)));
    this.#handles[index] = job;
  }

  run(slot: number): void {
    const header = this.#context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION];
    const fn = this.#functions.get(header & FUNCTION_MASK);
    try {
      const result = this.#call(fn, slot, header);
      if (
        typeof result === "object" &&
        result !== null &&
        typeof (result as PromiseLike<unknown>).then === "function"
      ) {
        throw new TypeError(
          "the job function returned a promise (or a Job); jobs must be synchronous: use wait() inside a job",
        );
      }
      if (!(header & F_GROUP)) this.#codec.writeResult(slot, result);
    } catch (error) {
      const thrown = error instanceof NoRoom ? new ArenaFullError("shared memory has no room for the result") : error;
      this.#setFailure(slot, { kind: "threw", job: this.nameIn(slot), error: thrown });
    }
  }

  #call(fn: (...args: unknown[]) => unknown, slot: number, header: number): unknown {
    const count = (header >>> FUNCTION_BITS) & COUNT_MASK;
    if (count === 0) return fn();
    const codec = this.#codec;
    if (count > FEW) return fn(...codec.readArguments(slot, header));
    const a = codec.read(codec.firstArgument(slot, header));
    if (count === 1) return fn(a);
    const b = codec.read(codec.nextCell);
    if (count === 2) return fn(a, b);
    const c = codec.read(codec.nextCell);
    return count === 3 ? fn(a, b, c) : fn(a, b, c, codec.read(codec.nextCell));
  }

  deliver(slot: number, retired = false): void {
    this.#context.outstanding.remove(slot);
    if (!retired && !retire(this.#context, slot)) {
      this.#context.undelivered.push(slot);
      return;
    }
    const index = slotIndex(slot);
    const job = this.#handles[index] as Job<unknown>;
    this.#handles[index] = undefined;
    const failure = this.#context.memory.i32[(slot << SLOT_LOG) + S_FAILURE];
    if (failure !== 0) {
      this.#deliverFailure(job, failure);
      return;
    }
    const result = this.#codec.readResult(slot);
    releaseSlot(this.#context, slot);
    const waiting = job._settle(DONE, result);
    if (waiting === undefined) return;
    waiting.resolve(result);
    this.settledPromises++;
  }

  #deliverFailure(job: Job<unknown>, failure: number): void {
    const error = this.errorOf(failure, job.name);
    releaseSlot(this.#context, job._slot);
    const waiting = job._settle(FAILED, error);
    if (!job._observed) {
      this.#unobserved.push(job);
      this.onUnobserved();
    }
    if (waiting === undefined) return;
    waiting.reject(error);
    this.settledPromises++;
  }

  /** Promises settled so far; the listener compares it with those it has made. */
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
    const block = this.#context.memory.i32[(source << SLOT_LOG) + S_FAILURE];
    const { payloads } = this.#context;
    this.taintWith(target, loadFailure(payloads, this.#codec.cloner, block, this.nameIn(source)));
  }

  /** Makes `target` fail because something before it failed with `failure`. */
  taintWith(target: number, failure: Failure): void {
    this.#setFailure(target, { kind: "dependency", job: this.nameIn(target), first: firstOf(failure) });
  }

  cancel(slot: number): void {
    this.#setFailure(slot, { kind: "shutdown", job: this.nameIn(slot) });
  }

  store(failure: Failure): number {
    return storeFailure(this.#context.payloads, this.#codec.cloner, failure);
  }

  /** An error that `errorOf` has made, as bytes for another thread. */
  errorToBytes(error: Error): Uint8Array {
    return failureToBytes(this.#codec.cloner, this.failureOf(error, "(unknown)"));
  }

  errorFromBytes(bytes: Uint8Array): Error {
    return toError(failureFromBytes(this.#codec.cloner, bytes));
  }

  /** The error for a stored failure, whose payload is freed. */
  errorOf(block: number, job: string): Error {
    const { payloads } = this.#context;
    const failure = loadFailure(payloads, this.#codec.cloner, block, job);
    if (block !== DETAILS_LOST) payloads.free(block);
    return toError(failure);
  }

  /** The failure behind an error that `errorOf` has made. */
  failureOf(error: unknown, job: string): Failure {
    if (error instanceof DependencyFailedError) {
      return { kind: "dependency", job: error.job, first: this.failureOf(error.cause, job) };
    }
    if (error instanceof JobFailedError && !("cause" in error)) return { kind: "lost", job: error.job };
    if (error instanceof JobFailedError) return { kind: "threw", job: error.job, error: error.cause };
    return { kind: "shutdown", job };
  }

  nameIn(slot: number): string {
    return this.#functions.nameOf(this.#context.memory.i32[(slot << SLOT_LOG) + S_FUNCTION] & FUNCTION_MASK);
  }

  /** Reports the failures that nobody has waited for since. */
  reportUnobserved(): void {
    if (this.#unobserved.length === 0) return;
    const failed = this.#unobserved;
    this.#unobserved = [];
    for (const job of failed) if (!job._observed) this.#report(job._outcome as Error);
  }

  /** How many jobs of this thread have not finished, by function name. */
  pendingByName(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const job of this.#handles) if (job !== undefined) counts[job.name] = (counts[job.name] ?? 0) + 1;
    return counts;
  }

  /** Fails all handles that are still pending, and reports what nobody has waited for. */
  abandon(error: ShutdownError): void {
    for (const job of this.#handles) {
      if (job === undefined) continue;
      // A job that was never scheduled may hide the failure of one before it.
      const failure = this.#context.memory.i32[(job._slot << SLOT_LOG) + S_FAILURE];
      if (failure !== 0 && !job._observed) this.#report(this.errorOf(failure, job.name));
      const waiting = job._settle(FAILED, error);
      if (waiting === undefined) continue;
      waiting.reject(error);
      this.settledPromises++;
    }
    this.#handles = [];
    // Failures of groups that nobody has waited for.
    for (const group of this.openGroups) group._abandon(error, this.#report);
    this.reportUnobserved();
  }

  #setFailure(slot: number, failure: Failure): void {
    const block = this.store(failure);
    const word = (slot << SLOT_LOG) + S_FAILURE;
    // Several prerequisites may fail at once on several threads: the first one is kept.
    if (Atomics.compareExchange(this.#context.memory.i32, word, 0, block) !== 0 && block !== DETAILS_LOST) {
      this.#context.payloads.free(block);
    }
  }
}

function toError(failure: Failure): Error {
  switch (failure.kind) {
    case "threw": {
      const message = failure.error instanceof Error ? failure.error.message : String(failure.error);
      return new JobFailedError(failure.job, `job "${failure.job}" failed: ${message}`, { cause: failure.error });
    }
    case "dependency": {
      const cause = toError(failure.first);
      return new DependencyFailedError(failure.job, `job "${failure.job}" did not run: ${cause.message}`, { cause });
    }
    case "shutdown":
      return new ShutdownError(
        `job "${failure.job}" was cancelled: the job system was shut down by force before it started`,
      );
    case "lost":
      return new JobFailedError(failure.job, `job "${failure.job}" failed; shared memory had no room for the details`);
  }
}
