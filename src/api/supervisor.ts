/** When a worker dies: what it had in hand is recovered, and another takes its place. */

import { B_EXIT, B_RAN, DEAD, STOPPED } from "../memory/layout.js";
import { after, elapsed } from "../platform/host.js";
import { recover } from "../scheduler/recovery.js";
import { giveUp } from "../scheduler/worker-loop.js";
import { describe, isInstance } from "../values/describe.js";
import type { Engine } from "./engine.js";
import type { Death, WorkerPool } from "./worker-pool.js";

/** How long to wait before a recovery is tried again for which another worker did not stop in time, in milliseconds. */
const AGAIN = 5;
/** How often to look at the most, in milliseconds. */
const LOOK_EVERY = 20;
/**
 * A worker that dies so soon after it was ready, in milliseconds, and has run no job, has died for nothing. On a machine with
 * other things to do everything takes longer: there, sooner than it has taken to get ready.
 */
const SOON = 1000;
/** So many deaths for nothing, one after the other, and it is given up. */
const MOST_FOR_NOTHING = 10;

export class Supervisor {
  readonly #engine: Engine;
  readonly #workers: WorkerPool;
  readonly #report: (error: Error) => void;
  readonly #giveUp: (reason: Error) => void;
  /** Deaths that nothing was done about yet. */
  #deaths: Death[] = [];
  #forNothing = 0;
  #scheduled = false;
  #looked = 0;

  /**
   * @param report called with a death that no job was to blame for
   * @param giveUp called when workers die again and again; the system then runs nothing any more
   */
  constructor(engine: Engine, workers: WorkerPool, report: (error: Error) => void, giveUp: (reason: Error) => void) {
    this.#engine = engine;
    this.#workers = workers;
    this.#report = report;
    this.#giveUp = giveUp;
    workers.onDeath = (death) => this.#note(death);
    workers.notedExit = (thread) => this.#exitOf(thread) !== 0;
    engine.context.watch = () => {
      const now = elapsed();
      if (now - this.#looked < LOOK_EVERY) return;
      this.#looked = now;
      workers.look();
      this.#recover();
    };
  }

  #note(death: Death): void {
    this.#deaths.push(death);
    this.#schedule(0);
  }

  /** Recovers from the event loop, where this thread has nothing in hand. */
  #schedule(milliseconds: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    after(milliseconds, () => {
      this.#scheduled = false;
      this.#recover();
    });
  }

  #recover(): void {
    if (this.#deaths.length === 0) return;
    const engine = this.#engine;
    const { context, runner } = engine;
    if (context.state === STOPPED || context.state === DEAD) {
      for (const { thread } of this.#deaths) this.#workers.forget(thread);
      this.#deaths = [];
      return;
    }
    const deaths = this.#deaths.map((death) => this.#withCode(death));
    const { memory } = context;
    const useful = deaths.filter(
      ({ thread, age, startup }) =>
        age > Math.max(SOON, startup) || memory.i32[memory.layout.blockOf(thread) + B_RAN] !== 0,
    );
    const dead = deaths.map(({ thread }) => thread);
    for (const { thread, exitCode, cause, killed } of deaths) {
      runner.deaths.set(thread, { exitCode, reason: reasonOf(cause), killed });
    }
    const { objects } = engine.codec;
    const living = this.#workers.living;
    const executing = recover(context, dead, living, () => {
      objects.receive();
      for (const thread of dead) objects.adopt(thread);
      this.#workers.prepareSuccessors(dead);
    });
    if (executing === undefined) {
      this.#schedule(AGAIN);
      return;
    }
    this.#deaths = this.#deaths.filter(({ thread }) => !dead.includes(thread));
    engine.listener.settle();
    for (const death of deaths) {
      const hadJobs = death.killed || executing.has(death.thread);
      this.#forNothing = hadJobs || useful.includes(death) ? 0 : this.#forNothing + 1;
      if (!this.#replace(death, hadJobs)) return;
    }
  }

  /** A death with the exit code that the worker has left, if it knew. */
  #withCode(death: Death): Death {
    const exit = this.#exitOf(death.thread);
    return exit === 0 ? death : { ...death, exitCode: exit - 1 };
  }

  /** What a worker has written down that it ends with, and one more; 0 if it has not. */
  #exitOf(thread: number): number {
    const { memory } = this.#engine.context;
    // Written by a thread that does nothing after it here; a thread that reads an old value looks again.
    return memory.i32[memory.layout.blockOf(thread) + B_EXIT];
  }

  /** Replaces a worker. @param hadJobs whether jobs were lost with it @returns false if it was given up instead */
  #replace(death: Death, hadJobs: boolean): boolean {
    const why = reasonOf(death.cause);
    const what = `a worker thread ended unexpectedly with code ${death.exitCode}${why === "" ? "" : `: ${why}`}`;
    if (this.#forNothing >= MOST_FOR_NOTHING) {
      giveUp(this.#engine.context);
      const often = `${what}; that was ${MOST_FOR_NOTHING} times, each soon after it had started and before it had run a job`;
      this.#giveUp(new Error(often, { cause: death.cause }));
      return false;
    }
    this.#workers.replace(death.thread, this.#engine.codec.objects.introductions());
    if (!hadJobs) this.#report(new Error(`${what}; another has taken its place`, { cause: death.cause }));
    return true;
  }
}

function reasonOf(cause: unknown): string {
  if (cause === undefined) return "";
  return isInstance(cause, Error) ? cause.message : describe(cause);
}
