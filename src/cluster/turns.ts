/** Long work on the main thread, in stretches: between them the event loop has its turn. */

/** How long a stretch may be, in milliseconds, and how many steps are taken without looking. */
const STRETCH = 10;
const STEPS = 256;

export class Turns {
  #since = performance.now();

  /** Calls `step` with each value, also with those that it adds. */
  async each<T>(values: ArrayLike<T>, step: (value: T, index: number) => void): Promise<void> {
    for (let k = 0; k < values.length; ) {
      const end = Math.min(k + STEPS, values.length);
      for (; k < end; k++) step(values[k], k);
      await this.rest();
    }
  }

  /** Lets the event loop go round, if it has not for long. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < STRETCH) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
