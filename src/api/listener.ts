/**
 * Completion for an event loop: while promises are open, the thread listens on its word of the event
 * count with `Atomics.waitAsync`; one wake drains all that has finished, and the main thread then runs its own jobs.
 *
 * To be woken costs tens to hundreds of microseconds, and a short job is done in one or two when a worker
 * is awake, or once one is. So when something was awaited, a microtask first looks for the outcome for
 * up to PATIENT milliseconds: as long as this is worth while, which it learns from how often it was.
 *
 * So that timers and requests get their turn whatever is awaited, at most MOST outcomes are taken over at once (pace.ts).
 */
import { B_FINISHED } from "../memory/layout.js";
import { asMicrotask, elapsed, turn, turnIfAlive } from "../platform/host.js";
import type { Context } from "../scheduler/context.js";
import { anyLimited } from "../scheduler/control.js";
import { drainFinished } from "../scheduler/finish.js";
import { mainJobsToRun } from "../scheduler/main-loop.js";
import { relax } from "../scheduler/relax.js";
import { LISTENING, URGENT } from "../sync/event-count.js";
import type { Group } from "./group.js";
import type { Job } from "./job.js";
import type { JobRunner } from "./job-runner.js";
import type { JobSignals } from "./job-signals.js";
import { deferred, FAILED } from "./outcomes.js";
import { Pace } from "./pace.js";

/** How long to look before listening, in milliseconds; about as long as two threads take to wake each other. */
const PATIENT = 0.3;
/** How often to look between two looks at the clock: about a microsecond. */
const LOOKS = 64;
/** After so many vain looks it listens at once, this many times. */
const PATIENCE = 4;
const REST = 32;
/** How many outcomes to take over at once. */
const MOST = 256;

export class Listener {
  readonly #context: Context;
  readonly #runner: JobRunner;
  readonly #signals: JobSignals;
  readonly #groups = new Set<Group>();
  #promises = 0;
  /** How many vain looks are left; below 0, how often yet not to look. */
  #patience = PATIENCE;
  #lookQueued = false;
  #listening = false;
  #expecting = false;
  #stopped = false;
  /** Whether to go on in a later turn. */
  #puttingOff = false;
  /** How many promises had been settled when this thread last went round its event loop. */
  #heard = 0;
  readonly #pace = new Pace();
  /** Workers listen in their own loop. */
  active = false;
  /** Keeps the process alive while something is awaited. */
  keepAlive: (on: boolean) => void = () => {};
  /** Runs jobs of the main thread for some time. @returns whether some are left */
  readonly #runMainJobs: () => boolean;

  /** Called when there are jobs with a time limit, which this thread is to watch. */
  onLimit: () => void = () => {};

  constructor(context: Context, runner: JobRunner, signals: JobSignals, runMainJobs: () => boolean) {
    this.#context = context;
    this.#runner = runner;
    this.#signals = signals;
    this.#runMainJobs = runMainJobs;
  }

  promiseOf<R>(job: Job<R>): Promise<R> {
    if (job._isSettled()) return this.#settled(job);
    let waiting = job._waiting;
    if (waiting === undefined) {
      waiting = deferred<R>();
      job._waiting = waiting;
      this.#promises++;
      this.#awaitSoon();
    }
    return waiting.promise;
  }

  #settled<R>(job: Job<R>): Promise<R> {
    const { _state: state, _outcome: outcome } = job;
    if (!this.active || this.#pace.mayGoOn()) {
      return state === FAILED ? Promise.reject(outcome) : Promise.resolve(outcome as R);
    }
    const { promise, resolve, reject } = deferred<R>();
    this.#pace.putOff(() => (state === FAILED ? reject(outcome) : resolve(outcome as R)));
    return promise;
  }

  addGroup(group: Group): void {
    this.#groups.add(group);
    this.#promises++;
    if (!this.settle()) this.#awaitSoon();
  }

  /** Called when there may be jobs of the main thread, or jobs with handles, whose failures must not stay unseen. */
  expect(): void {
    if (this.#expecting || !this.active) return;
    this.#expecting = true;
    this.#listen();
  }

  /** Called after the main thread has executed jobs, or waited synchronously, which has used its word. */
  resume(): void {
    if (this.#listening) this.#announce();
    this.settle();
    // Jobs of the main thread that the wait has left, or that came after it and before the announcement.
    const { events, me } = this.#context;
    if (mainJobsToRun(this.#context)) events.notify(me, true);
  }

  /** Ends it for good. */
  stop(): void {
    this.#stopped = true;
    const { events, me } = this.#context;
    events.notify(me, true);
    // The last notice, also if it has been woken already: a `waitAsync` that nobody notifies keeps all this in memory for ever.
    events.resume(me);
  }

  /** Takes over what has finished, or some of it. @returns whether no promise is open any more */
  settle(): boolean {
    const context = this.#context;
    const before = context.enter();
    try {
      if (this.active) drainFinished(context, MOST);
      else drainFinished(context);
      if (context.toDeliver !== 0) this.#goOnLater();
      this.#signals.abortAsked();
      this.#settleGroups();
    } finally {
      context.leave(before);
    }
    if (this.#open > 0) return false;
    this.keepAlive(false);
    return true;
  }

  /** Called when this thread goes round its event loop: whoever awaits what has been settled so far goes on. */
  turned(): void {
    this.#heard = this.#runner.settledPromises;
  }

  /**
   * Whether code on this thread, or the main thread, is to hear of something before this thread sleeps. It calls
   * nobody, as the thread may have announced its sleep.
   */
  hasNews(): boolean {
    this.#settleGroups();
    return this.#runner.settledPromises !== this.#heard || this.#signals.anyAsked || this.#runner.anyUnobserved;
  }

  /** Whether a promise is open. */
  get awaiting(): boolean {
    return this.#open > 0;
  }

  get #open(): number {
    return this.#promises - this.#runner.settledPromises;
  }

  #settleGroups(): void {
    for (const group of this.#groups) {
      if (!group._settle()) continue;
      this.#groups.delete(group);
      this.#runner.settledPromises++;
    }
  }

  /** Once all that is awaited in this turn is known: looks for outcomes, or listens for them. */
  #awaitSoon(): void {
    if (this.#lookQueued || !this.active) return;
    this.#lookQueued = true;
    asMicrotask(() => {
      this.#lookQueued = false;
      if (this.#pace.overdue) this.#goOnLater();
      else if (!this.#lookAround()) this.#listen();
    });
  }

  /** Looks for outcomes for a short time. @returns whether nothing is awaited any more */
  #lookAround(): boolean {
    if (this.#patience < 0) {
      if (++this.#patience === 0) this.#patience = 1;
      return this.settle();
    }
    const found = this.#spin();
    this.#patience = found ? PATIENCE : this.#patience - 1;
    if (this.#patience === 0) this.#patience = -REST;
    return found && this.#open === 0;
  }

  #spin(): boolean {
    const { memory, block } = this.#context;
    const before = this.#open;
    const end = elapsed() + PATIENT;
    do {
      for (let k = 0; k < LOOKS; k++) {
        // Pairs with the push in finish.ts.
        if (Atomics.load(memory.i32, block + B_FINISHED) !== 0 || this.#groups.size > 0) this.settle();
        if (mainJobsToRun(this.#context) && this.#runMainJobs()) return false;
        if (this.#open < before) return true;
        relax();
      }
    } while (elapsed() < end);
    return false;
  }

  #goOnLater(): void {
    if (this.#puttingOff) return;
    this.#puttingOff = true;
    this.#pace.putOff(() => {
      this.#puttingOff = false;
      if (!this.#lookAround()) this.#listen();
    });
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
    if (anyLimited(this.#context)) this.onLimit();
  }

  async #loop(): Promise<void> {
    const { events, me } = this.#context;
    while (!this.#stopped) {
      this.#context.takeIn();
      this.#announce();
      const state = this.#open > 0 ? LISTENING : URGENT;
      // After the announcement: what has finished before it is found here, what finishes later wakes us.
      this.settle();
      this.keepAlive(this.#open > 0);
      if (state === LISTENING && this.#open === 0) continue;
      if (mainJobsToRun(this.#context)) {
        if (this.#runMainJobs()) await (this.#open > 0 ? turn() : turnIfAlive());
        continue;
      }
      if (this.#pace.overdue) await turn();
      else await events.changed(me, state);
    }
  }
}
