/**
 * Keeps the turns of the main thread's event loop short: whoever is told of an outcome runs in a microtask and may await
 * others, which are soon settled too; by itself that would go on without a timer or a request ever getting its turn.
 */
import { elapsed, nextTurn } from "../platform/host.js";

/** How long to go on in one turn, in milliseconds. */
const LONG = 4;
/** How much that was put off goes on in one turn. */
const MOST = 256;
/** So much is put off at the most. What is more is no chain of one after the other, but was all awaited in one go. */
const CAP = 16_384;
/** `mayGoOn` looks at the clock once in so many times. */
const GLANCE = 64;

export class Pace {
  /** When this turn was first seen; 0 in a new one. */
  #since = 0;
  #glances = 0;
  /** `mayGoOn` has found this turn overdue. */
  #late = false;
  readonly #putOff: (() => void)[] = [];
  #turning = false;

  /** Whether this turn has lasted long enough. */
  get overdue(): boolean {
    const now = elapsed();
    if (this.#since !== 0) return now - this.#since > LONG;
    this.#since = now;
    this.#turn();
    return false;
  }

  /** As `overdue`, for what is short and frequent. @returns false if it is to be put off */
  mayGoOn(): boolean {
    if (!this.#late && ++this.#glances % GLANCE === 0) this.#late = this.overdue;
    return !this.#late || this.#putOff.length >= CAP;
  }

  /** Calls `go` in one of the next turns; in order. */
  putOff(go: () => void): void {
    this.#putOff.push(go);
    this.#turn();
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    nextTurn(this.#onTurn);
  }

  readonly #onTurn = (): void => {
    this.#since = 0;
    this.#late = false;
    this.#turning = false;
    for (const go of this.#putOff.splice(0, MOST)) go();
    if (this.#putOff.length > 0) this.#turn();
  };
}
