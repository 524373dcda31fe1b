/** Deletes runs that have ended long ago, now and then. Whichever worker comes first does it for all. */
import { Rounds } from "./rounds.js";
import type { Store } from "./store.js";

/** How often to look, in milliseconds, unless runs are kept for less. */
const LOOK_EVERY = 60_000;

export class Retention {
  readonly #store: Store;
  readonly #keep: number;
  readonly #rounds: Rounds;

  /** @param keep for how long, in milliseconds */
  constructor(store: Store, keep: number, report: (error: Error) => void) {
    this.#store = store;
    this.#keep = keep;
    this.#rounds = new Rounds(Math.min(keep, LOOK_EVERY), () => this.#delete(), report);
    this.#rounds.begin();
  }

  async close(): Promise<void> {
    await this.#rounds.close();
  }

  async #delete(): Promise<void> {
    while (!this.#rounds.closed && (await this.#store.deleteEnded(this.#keep)));
  }
}
