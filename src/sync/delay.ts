/** Letting time pass, where there is nothing to be told of. */

/** Nobody changes it, nor wakes who sleeps on it. Made when it is needed, as some hosts have no shared memory. */
let unchanging: Int32Array | undefined;

/** Stops this thread, its event loop too, for so many milliseconds; they need not be whole. */
export function delay(milliseconds: number): void {
  unchanging ??= new Int32Array(new SharedArrayBuffer(4));
  // Races with nothing: it sleeps until the time is over.
  Atomics.wait(unchanging, 0, 0, milliseconds);
}
