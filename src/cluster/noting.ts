/**
 * Notes in the database that jobs are about to begin: those that must not begin twice, and suspects (lost.ts). Should the
 * worker be lost, they count as begun, unless its log says that they have not (begin-log.ts). What waits meanwhile is noted
 * by one statement.
 */
import { Backoff } from "./backoff.js";
import { grouped } from "./grouped.js";
import type { Held } from "./held.js";
import type { Lost } from "./lost.js";

/** How many jobs may be noted for each that can run at once. */
const AHEAD = 256;
/** The same where no log tells which of them have begun. */
const AHEAD_UNLOGGED = 1;

export class Noting {
  readonly #lost: Lost;
  readonly #most: number;
  /** Whether a job is still in hand. */
  readonly #wanted: (held: Held) => boolean;
  readonly #report: (error: Error) => void;
  readonly #waiting = new Map<Held, (noted: boolean) => void>();
  readonly #noted = new Set<Held>();
  #working = false;

  /**
   * @param logs whether it is logged which have begun
   * @param most how many such jobs can run at once
   */
  constructor(
    lost: Lost,
    logs: boolean,
    most: number,
    wanted: (held: Held) => boolean,
    report: (error: Error) => void,
  ) {
    this.#lost = lost;
    this.#most = most * (logs ? AHEAD : AHEAD_UNLOGGED);
    this.#wanted = wanted;
    this.#report = report;
  }

  /** Settles when it is noted. @returns false if the job is no longer this worker's: it must not begin */
  note(held: Held): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.set(held, resolve);
      if (!this.#working) void this.#work();
    });
  }

  /** A job has ended, or another worker may have it now. */
  ended(held: Held): void {
    if (!this.#noted.delete(held)) return;
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    // What is asked for in the same turn of the event loop is noted at once.
    await null;
    const backoff = new Backoff();
    for (;;) {
      for (const [held, resolve] of this.#waiting) if (!this.#wanted(held)) this.#settle(held, resolve, false);
      const next = [...this.#waiting].slice(0, this.#most - this.#noted.size);
      if (next.length === 0) break;
      try {
        for (const [queue, some] of grouped(next, ([held]) => held.queue)) {
          const ours = await this.#lost.noteBegun(
            queue,
            some.map(([held]) => held),
          );
          for (const [held, resolve] of some) this.#settle(held, resolve, ours.has(held.id) && this.#wanted(held));
        }
        backoff.reset();
      } catch (error) {
        this.#report(error as Error);
        await new Promise((resolve) => setTimeout(resolve, backoff.next()));
      }
    }
    this.#working = false;
  }

  #settle(held: Held, resolve: (noted: boolean) => void, noted: boolean): void {
    this.#waiting.delete(held);
    held.noted = noted;
    if (noted) this.#noted.add(held);
    resolve(noted);
  }
}
