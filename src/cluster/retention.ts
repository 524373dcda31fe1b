/** Deletes runs that have ended long ago, now and then. Whichever worker comes first does it for all. */
import type { Store } from "./store.js";

/** How often to look, in milliseconds, unless runs are kept for less. */
const LOOK_EVERY = 60_000;

export class Retention {
  readonly #store: Store;
  readonly #keep: number;
  readonly #report: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;
  #closed = false;

  /** @param keep for how long, in milliseconds */
  constructor(store: Store, keep: number, report: (error: Error) => void) {
    this.#store = store;
    this.#keep = keep;
    this.#report = report;
    this.#timer = setInterval(() => this.#look(), Math.min(keep, LOOK_EVERY));
    this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  #look(): void {
    this.#looking ??= this.#delete().finally(() => {
      this.#looking = undefined;
    });
  }

  async #delete(): Promise<void> {
    try {
      while (!this.#closed && (await this.#store.deleteEnded(this.#keep)));
    } catch (error) {
      this.#report(error as Error);
    }
  }
}
