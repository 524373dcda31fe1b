/** Letting time pass, where there is nothing to be told of. */

/** Nobody changes it, nor wakes who sleeps on it. */
const unchanging = new Int32Array(new SharedArrayBuffer(4));

/** Stops this thread, its event loop too, for so many milliseconds; they need not be whole. */
export function delay(milliseconds: number): void {
  // Races with nothing: it sleeps until the time is over.
  Atomics.wait(unchanging, 0, 0, milliseconds);
}
