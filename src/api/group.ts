import { awaitGroup, groupIsDone } from "../scheduler/group.js";
import { FEW, NONE } from "../values/codec.js";
import type { Engine } from "./engine.js";
import { type Deferred, deferred } from "./outcomes.js";
import { INSPECT } from "./shown.js";

/**
 * Many jobs that are waited for together. A job of a group has no handle and no result, and
 * allocates nothing on the JavaScript heap.
 *
 * @example
 * const group = jobs.group();
 * for (let y = 0; y < height; y++) group.run(blurRow, image, width, y);
 * await group;
 */
export class Group implements Promise<void> {
  readonly #engine: Engine;
  #record = 0;
  #count = 0;
  #deferred: Deferred<void> | undefined;
  /** Why its jobs will never all finish. */
  #abandoned: Error | undefined;

  /** @internal */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Runs `fn(...args)` as a job of this group.
   *
   * @throws UnknownJobFunctionError, DataCloneError (a DOMException), PayloadTooLargeError, ArenaFullError, ShutdownError
   */
  run<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): void;
  run(fn: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown): void {
    if (this.#record === 0) this.#record = this.#engine.makeGroup(this);
    // biome-ignore-start lint/complexity/noArguments: `...args`, or `arguments` itself handed on, would make an object for each job.
    const count = arguments.length - 1;
    const all: unknown[] = count > FEW ? [] : NONE;
    for (let k = 1; count > FEW && k <= count; k++) all.push(arguments[k]);
    // biome-ignore-end lint/complexity/noArguments: as above
    this.#engine.runInGroup(this.#record, fn, count, a, b, c, d, all);
    this.#count++;
    // Whoever awaits the group already is told of a number of jobs, which is another one now; they may all have finished.
    if (this.#deferred !== undefined && this.#announce()) this.#engine.listener.settle();
  }

  /** @internal */
  get _slot(): number {
    return 0;
  }

  /** @internal Jobs that were executed since the wait began may have added others. */
  _expectNotice(): void {
    if (this.#record !== 0) this.#announce();
  }

  /** Has this thread told when as many jobs have finished as there are now. @returns whether they have already */
  #announce(): boolean {
    return awaitGroup(this.#engine.context, this.#record, this.#count);
  }

  /** Whether all jobs of the group that were run so far have finished. */
  get settled(): boolean {
    return this.#record === 0 || groupIsDone(this.#engine.context, this.#record, this.#count);
  }

  /**
   * Waits synchronously for all jobs of the group; meanwhile this thread executes jobs.
   *
   * @throws JobFailedError with the first failure
   */
  wait(): void {
    if (this.#abandoned !== undefined) throw this.#abandoned;
    if (this.#record !== 0) {
      this.#announce();
      this.#engine.help(this);
    }
    const failure = this.#finish();
    if (failure !== undefined) throw failure;
  }

  /** Waits for all jobs of the group; this is what `await` calls. Rejects with the first failure. */
  then<A = void, B = never>(
    onDone?: (() => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (this.#abandoned !== undefined) return Promise.reject(this.#abandoned).then(onDone, onError);
    let waiting = this.#deferred;
    if (waiting === undefined) {
      waiting = deferred<void>();
      this.#deferred = waiting;
      if (this.#record !== 0) this.#announce();
      this.#engine.listenTo(this);
    }
    return waiting.promise.then(onDone, onError);
  }

  /** Waits for all jobs of the group, and handles the first failure as a promise's `catch` does. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a Promise<void> has it so.
  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<void | B> {
    return this.then(undefined, onError);
  }

  /** Waits for all jobs of the group, and calls `onEnd` then, as a promise's `finally` does. */
  finally(onEnd?: (() => void) | null): Promise<void> {
    return this.then().finally(onEnd);
  }

  /** For logs: how many jobs it was given since it was last waited for. */
  toJSON(): { group: number } {
    return { group: this.#count };
  }

  get [Symbol.toStringTag](): string {
    return "Group";
  }

  /** @internal What `console.log` shows. */
  [INSPECT](): string {
    return `Group of ${this.#count} jobs`;
  }

  /** @internal Settles the promise if all jobs have finished. */
  _settle(): boolean {
    if (this.#record !== 0 && !this.#announce()) return false;
    const waiting = this.#deferred;
    this.#deferred = undefined;
    const failure = this.#finish();
    if (failure === undefined) waiting?.resolve();
    else waiting?.reject(failure);
    return true;
  }

  /** @internal The system has stopped: hands on a failure that nobody has waited for, and lets nobody wait in vain. */
  _abandon(error: Error, report: (error: Error) => void): void {
    if (!this.settled) this.#abandoned = error;
    const failure = this.#abandoned ?? this.#finish();
    this.#record = 0;
    if (failure === undefined) return;
    if (this.#deferred !== undefined) this.#deferred.reject(failure);
    else if (failure !== error) report(failure);
  }

  /** Frees the record, so that a group which nobody uses again holds nothing. @returns the first failure */
  #finish(): Error | undefined {
    if (this.#record === 0) return undefined;
    const failure = this.#engine.endGroup(this, this.#record);
    this.#record = 0;
    this.#count = 0;
    return failure;
  }
}
