import type { Engine } from "./engine.js";
import { setOptions } from "./job-control.js";
import type { JobOptions } from "./job-options.js";
import { type Deferred, DONE, Outcomes, SHARING_LOG } from "./outcomes.js";
import { INSPECT } from "./shown.js";

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
 *
 * A job that is given it as an argument can wait for the outcome too, until it has settled itself, whoever else has the
 * outcome by then. If its own thread has the result before, the other job gets a copy of that as it is then.
 */
export class Job<R> implements Promise<R> {
  /** @internal What is known of this job's outcome, and of others'. */
  declare readonly _outcomes: Outcomes;
  /** Its slot, and its place in the outcomes in the lowest bits, where shifts look for it. */
  declare readonly _place: number;

  /** @internal */
  constructor(outcomes: Outcomes, slot: number, place: number) {
    this._outcomes = outcomes;
    this._place = (slot << SHARING_LOG) | place;
  }

  /** The name of the job, if it was given one, or of the job function. */
  get name(): string {
    return this._outcomes.nameOf(this._place);
  }

  /** Whether the job is done or has failed; of a job that another thread has spawned, as far as this thread knows. */
  get settled(): boolean {
    if (!this._isSettled()) this._engine.look(this);
    return this._isSettled();
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
    if (isJob(next)) {
      this._engine.link(this, next);
      return next;
    }
    return this._engine.promiseOf(this).then(next, onError);
  }

  /** Schedules the job, and handles its failure as a promise's `catch` does. */
  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this._engine.promiseOf(this).catch(onError);
  }

  /** Schedules the job, and calls `onEnd` when it has settled, as a promise's `finally` does. */
  finally(onEnd?: (() => void) | null): Promise<R> {
    return this._engine.promiseOf(this).finally(onEnd);
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
   * Sets options of this job. May be called several times: later options add to, or take the place of, earlier ones.
   *
   * @param options signal (cancels it), timeout (milliseconds, 1 to 2^30, from its start), kill (ends its worker when its
   * time is over), name (in errors), priority ("high", "normal", "low"), on ("main"), retries (0 to 1000): see `JobOptions`
   * @returns this job
   * @throws TypeError, RangeError for a bad option, or a handle that comes from or went to another thread;
   * JobAlreadyScheduledError, also for a job made by `run`; ArenaFullError; ShutdownError
   * @example
   * const page = await jobs.spawn(work.render, url).with({ timeout: 5000, signal: request.signal, name: url });
   */
  with(options: JobOptions): this {
    setOptions(this._engine, this, options);
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

  /** For logs: its name and state. Its result, and the system behind it, are left out. */
  toJSON(): { job: string; state: "pending" | "completed" | "failed" } {
    if (!this._isSettled()) return { job: this.name, state: "pending" };
    return { job: this.name, state: this._state === DONE ? "completed" : "failed" };
  }

  get [Symbol.toStringTag](): string {
    return "Job";
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
    const { job, state } = this.toJSON();
    return `Job "${job}" (${state})`;
  }

  /** @internal */
  get _engine(): Engine {
    return this._outcomes.engine;
  }

  /** @internal The job's slot, as long as it is pending. */
  get _slot(): number {
    return this._place >>> SHARING_LOG;
  }

  /** @internal */
  get _functionId(): number {
    return this._outcomes.functionId;
  }

  /** @internal As far as this thread knows without looking. */
  _isSettled(): boolean {
    return (this._outcomes.settled & (1 << this._place)) !== 0;
  }

  /** @internal */
  get _state(): number {
    return this._outcomes.stateOf(this._place);
  }

  /** @internal The result or the error, once settled. */
  get _outcome(): unknown {
    return this._outcomes.valueOf(this._place);
  }

  /** @internal What waits for it, while it is pending. */
  get _waiting(): Deferred<R> | undefined {
    return this._outcomes.valueOf(this._place) as Deferred<R> | undefined;
  }

  /** @internal */
  set _waiting(waiting: Deferred<R>) {
    this._outcomes.setValue(this._place, waiting);
  }

  /** @internal Gives it a name of its own, in place of its function's. */
  _rename(name: string): void {
    this._outcomes.rename(this._place, name);
  }

  /** @internal Somebody will hear of its failure. */
  _observe(): void {
    this._outcomes.observed |= 1 << this._place;
  }

  /** @internal Whether it is the handle of a job of another thread. */
  _isForeign(): this is ForeignJob<R> {
    return this._outcomes.number === FOREIGN;
  }

  /** @internal */
  _expectNotice(): void {
    this._engine.expectNotice(this);
  }
}

/** Whether `value` is a handle; a proxy that does not tell is none. */
export function isJob(value: unknown): value is Job<unknown> {
  try {
    return value instanceof Job;
  } catch {
    return false;
  }
}

/** No slot has this generation: of a handle whose job is in none, as its outcome is in the handle, or cannot be told. */
export const NO_GENERATION = -1;

/** The number of the outcomes of a handle that this thread has not spawned. */
const FOREIGN = -1;

/** The handle of a job of another thread: that may have released its slot, which has another generation then. */
export class ForeignJob<R> extends Job<R> {
  /** @internal */ readonly _generation: number;
  /** @internal A job of this thread that takes over the outcome, once somebody here waits for it. */
  _observer: Job<R> | undefined = undefined;

  /** @internal */
  constructor(engine: Engine, slot: number, generation: number, functionId: number) {
    super(new Outcomes(engine, functionId, FOREIGN, 1), slot, 0);
    this._generation = generation;
  }
}
