/** Waiting for the database after errors: longer each time, until something has worked. */

/** In milliseconds: at first, and at the most. */
const FIRST = 100;
const LONGEST = 5000;

export class Backoff {
  #next = FIRST;

  /** How long to wait after an error, in milliseconds. */
  next(): number {
    const delay = this.#next;
    this.#next = Math.min(2 * delay, LONGEST);
    return delay;
  }

  /** Something has worked. */
  reset(): void {
    this.#next = FIRST;
  }
}
