import type { Engine } from "./engine.js";

/** States of a handle. */
export const PENDING = 0;
export const DONE = 1;
export const FAILED = 2;

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
  /** @internal */ readonly _generation: number;
  /** @internal */ readonly _foreign: boolean;
  /** @internal */ readonly _functionId: number;
  /** @internal */ _state: number = PENDING;
  /** @internal */ _outcome: unknown = undefined;
  /** @internal */ _observed = false;
  /** @internal */ _deferred: Deferred<R> | undefined = undefined;
  /** @internal */ _observer: Job<R> | undefined = undefined;

  /** @internal */
  constructor(engine: Engine, slot: number, generation: number, functionId: number, foreign: boolean) {
    this._engine = engine;
    this._slot = slot;
    this._generation = generation;
    this._functionId = functionId;
    this._foreign = foreign;
  }

  /** The name of the job function. */
  get name(): string {
    return this._engine.functions.nameOf(this._functionId);
  }

  /** Whether the job is done or has failed, as far as this thread knows. */
  get settled(): boolean {
    return this._state !== PENDING;
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
