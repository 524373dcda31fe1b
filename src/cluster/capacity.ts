/** How many jobs a worker holds: as many as it has threads and, while jobs are small, more. */

/** At the most. */
const MOST_HELD = 512;
/** How long a job should be in hand, from being fetched until it has run, in milliseconds. */
const IN_HAND = 100;

/** At the most, each time: the next ones may be longer. */
const MOST_GROWTH = 8;

/** Half of what would do. @param mean for how long jobs were in hand, in milliseconds */
function growth(mean: number): number {
  return Math.min(Math.max(2, IN_HAND / 2 / mean), MOST_GROWTH);
}

export class Capacity {
  readonly #least: number;
  #jobs: number;
  /** For how long jobs were in hand that have ended lately, all together, in milliseconds; and how many. */
  #inHand = 0;
  #ended = 0;

  /** @param threads of the worker */
  constructor(threads: number) {
    this.#least = threads;
    this.#jobs = threads;
  }

  get jobs(): number {
    return this.#jobs;
  }

  /** A job has ended. @param milliseconds for how long it was in hand */
  note(milliseconds: number): void {
    this.#inHand += milliseconds;
    this.#ended++;
  }

  /** Grows, or shrinks, as those that have ended since the last time were in hand for too short or too long. */
  adapt(): void {
    if (this.#ended === 0) return;
    const mean = this.#inHand / this.#ended;
    if (mean < IN_HAND / 2) this.#jobs = Math.min(Math.ceil(this.#jobs * growth(mean)), MOST_HELD);
    else if (mean > 2 * IN_HAND) this.#jobs = Math.max(this.#jobs >> 1, this.#least);
    this.#inHand = 0;
    this.#ended = 0;
  }

  /** Jobs had to wait for too long: it begins anew. */
  shrink(): void {
    this.#jobs = this.#least;
  }
}
