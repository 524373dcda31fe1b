/** How many frames a second there are. */

/** Over how long frames are counted, in milliseconds. */
export const COUNTED = 2000;

export class Speed {
  /** When the latest frames were ready. */
  readonly #ready: number[] = [];

  /** Notes that a frame is ready. */
  count(): void {
    const now = performance.now();
    this.#ready.push(now);
    // Two remain in any case, however slow this is.
    while (this.#ready.length > 2 && now - this.#ready[0] > COUNTED) this.#ready.shift();
  }

  /** Begins anew, as after a pause. */
  reset(): void {
    this.#ready.length = 0;
  }

  /** Undefined until there are two frames. */
  get perSecond(): number | undefined {
    const { length } = this.#ready;
    return length < 2 ? undefined : (1000 * (length - 1)) / (this.#ready[length - 1] - this.#ready[0]);
  }
}
