import type { Engine } from "./engine.js";

/** States of a handle, and how many bits they take. */
export const PENDING = 0;
export const DONE = 1;
export const FAILED = 2;
const STATE = 3;
/** Somebody will hear of its failure. */
const OBSERVED = 4;
/** It is the handle of a job of another thread. */
const FOREIGN = 8;
const FUNCTION_SHIFT = 4;

/**
 * What a job is for linking. Every job is assignable to it; but as no job is a subtype of it (it lacks
 * the optional property), TypeScript leaves the linking form of `then` out when it works out what
 * `await` gives.
 */
export interface Linkable {
  readonly name: string;
  readonly linkable?: never;
}

/**
 * A job: a call of a job function that runs on some thread, after all jobs that it depends on.
 *
 * Made by `spawn` and `run`. It is a lazy thenable: awaiting it schedules it.
 */
export class Job<R> implements PromiseLike<R> {
  /** @internal */ readonly _engine: Engine;
  /** @internal */ readonly _slot: number;
  /** Its state, flags and function: few fields, as there may be millions of handles. */
  #bits: number;
  /** When settled, the outcome; until then, what waits for it. */
  #value: unknown = undefined;

  /** @internal */
  constructor(engine: Engine, slot: number, functionId: number) {
    this._engine = engine;
    this._slot = slot;
    this.#bits = functionId << FUNCTION_SHIFT;
  }

  /** The name of the job function. */
  get name(): string {
    return this._engine.functions.nameOf(this._functionId);
  }

  /** Whether the job is done or has failed; of a job that another thread has spawned, as far as this thread knows. */
  get settled(): boolean {
    if ((this.#bits & STATE) === PENDING) this._engine.look(this);
    return (this.#bits & STATE) !== PENDING;
  }

  /**
   * Makes `next` run after this job.
   *
   * @param next a job that is not yet scheduled
   * @returns `next`, to go on linking
   * @throws JobAlreadyScheduledError, ArenaFullError, ShutdownError
   * @example
   * load.then(parse).then(count);
   */
  then<N extends Job<unknown>>(this: Linkable, next: N): N;
  /** Schedules the job and waits for its outcome, as a promise does; this is what `await` calls. */
  then<A = R, B = never>(
    onResult?: ((result: R) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B>;
  then(
    next?: Job<unknown> | ((result: R) => unknown) | null,
    onError?: ((error: unknown) => unknown) | null,
  ): Job<unknown> | Promise<unknown> {
    if (next instanceof Job) {
      this._engine.link(this, next);
      return next;
    }
    return this._engine.promiseOf(this).then(next, onError);
  }

  /**
   * Makes this job run after all of `prerequisites`.
   *
   * @param prerequisites jobs of the same system; one that is already done counts as met
   * @returns this job
   * @throws JobAlreadyScheduledError, ArenaFullError, ShutdownError
   */
  after(...prerequisites: Job<unknown>[]): this {
    for (const first of prerequisites) this._engine.link(first, this);
    return this;
  }

  /**
   * Schedules this job and every unscheduled job that it depends on, in the order in which they were linked.
   *
   * @returns this job
   * @throws DependencyCycleError (then nothing has run), ShutdownError
   */
  schedule(): this {
    this._engine.schedule(this);
    return this;
  }

  /**
   * Waits for the result synchronously; meanwhile this thread executes other jobs.
   *
   * @returns the result
   * @throws JobFailedError, DependencyFailedError, DependencyCycleError, ShutdownError, StaleJobError
   */
  wait(): R {
    return this._engine.wait(this);
  }

  /** @internal */
  get _functionId(): number {
    return this.#bits >>> FUNCTION_SHIFT;
  }

  /** @internal */
  get _state(): number {
    return this.#bits & STATE;
  }

  /** @internal The result or the error, once settled. */
  get _outcome(): unknown {
    return this.#value;
  }

  /** @internal @returns what waited for it */
  _settle(state: number, outcome: unknown): Deferred<R> | undefined {
    const waiting = this.#value as Deferred<R> | undefined;
    this.#bits |= state;
    this.#value = outcome;
    return waiting;
  }

  /** @internal What waits for it, while it is pending. */
  get _waiting(): Deferred<R> | undefined {
    return this.#value as Deferred<R> | undefined;
  }

  /** @internal */
  set _waiting(waiting: Deferred<R>) {
    this.#value = waiting;
  }

  /** @internal */
  get _observed(): boolean {
    return (this.#bits & OBSERVED) !== 0;
  }

  /** @internal */
  _observe(): void {
    this.#bits |= OBSERVED;
  }

  /** @internal */
  _isForeign(): this is ForeignJob<R> {
    return (this.#bits & FOREIGN) !== 0;
  }

  /** @internal */
  protected _setForeign(): void {
    this.#bits |= FOREIGN;
  }

  /** @internal */
  _expectNotice(): void {
    this._engine.expectNotice(this);
  }
}

/** The handle of a job of another thread: that may have released its slot, which has another generation then. */
export class ForeignJob<R> extends Job<R> {
  /** @internal */ readonly _generation: number;
  /** @internal A job of this thread that takes over the outcome, once somebody here waits for it. */
  _observer: Job<R> | undefined = undefined;

  /** @internal */
  constructor(engine: Engine, slot: number, generation: number, functionId: number) {
    super(engine, slot, functionId);
    this._generation = generation;
    this._setForeign();
  }
}

/** A promise with the functions that settle it. */
export interface Deferred<R> {
  readonly promise: Promise<R>;
  resolve(result: R): void;
  reject(error: unknown): void;
}

export function deferred<R>(): Deferred<R> {
  let resolve!: (result: R) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<R>((onResult, onError) => {
    resolve = onResult;
    reject = onError;
  });
  return { promise, resolve, reject };
}
