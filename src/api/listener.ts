/**
 * Completion for an event loop: while promises are open, the thread listens on its word of the event
 * count with `Atomics.waitAsync`; one wake drains all that has finished.
 */
import type { Context } from "../scheduler/context.js";
import { drainFinished } from "../scheduler/finish.js";
import { LISTENING, URGENT } from "../sync/event-count.js";
import type { Group } from "./group.js";
import { type Deferred, DONE, deferred, FAILED, type Job } from "./job.js";
import type { JobRunner } from "./job-runner.js";

export class Listener {
  readonly #context: Context;
  readonly #runner: JobRunner;
  readonly #groups = new Set<Group>();
  #promises = 0;
  #listening = false;
  #expecting = false;
  #stopped = false;
  /** Workers listen in their own loop. */
  active = false;
  /** Keeps the process alive while something is awaited. */
  keepAlive: (on: boolean) => void = () => {};

  constructor(context: Context, runner: JobRunner) {
    this.#context = context;
    this.#runner = runner;
  }

  promiseOf<R>(job: Job<R>): Promise<R> {
    if (job._state === FAILED) return Promise.reject(job._outcome);
    if (job._state === DONE) return Promise.resolve(job._outcome as R);
    let waiting = job._waiting as Deferred<R> | undefined;
    if (waiting === undefined) {
      waiting = deferred<R>();
      job._waiting = waiting;
      this.#promises++;
      this.#listen();
    }
    return waiting.promise;
  }

  addGroup(group: Group): void {
    this.#groups.add(group);
    if (!this.settle()) this.#listen();
  }

  /** Called when jobs with handles were scheduled: their failures must not stay unseen. */
  expect(): void {
    if (this.#expecting || !this.active) return;
    this.#expecting = true;
    this.#listen();
  }

  /** Called after the thread has waited synchronously, which has used its word. */
  resume(): void {
    if (this.#listening) this.#announce();
    this.settle();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Drains what has finished. @returns whether no promise is open any more */
  settle(): boolean {
    drainFinished(this.#context);
    for (const group of this.#groups) if (group._settle()) this.#groups.delete(group);
    if (this.#open > 0) return false;
    this.keepAlive(false);
    return true;
  }

  get #open(): number {
    return this.#promises - this.#runner.settledPromises + this.#groups.size;
  }

  #listen(): void {
    if (!this.active) return;
    this.#announce();
    // What has finished before the announcement is found here.
    this.settle();
    this.keepAlive(this.#open > 0);
    if (!this.#listening) {
      this.#listening = true;
      void this.#loop();
    }
  }

  /** Says what to wake us for: any finished job while promises are open, else only failures. */
  #announce(): void {
    if (this.#stopped) return;
    this.#context.events.prepare(this.#context.me, this.#open > 0 ? LISTENING : URGENT);
  }

  async #loop(): Promise<void> {
    const { events, memory, me } = this.#context;
    const word = events.wordOf(me);
    while (!this.#stopped) {
      this.#announce();
      const state = this.#open > 0 ? LISTENING : URGENT;
      // After the announcement: what has finished before it is found here, what finishes later wakes us.
      this.settle();
      this.keepAlive(this.#open > 0);
      if (state === LISTENING && this.#open === 0) continue;
      await Atomics.waitAsync(memory.i32, word, state).value;
    }
  }
}
