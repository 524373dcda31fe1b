/** Letting time pass, where there is nothing to be told of. */

import { elapsed, mayBlock } from "../platform/host.js";

/** Nobody changes it, nor wakes who sleeps on it. Made when it is needed, as some hosts have no shared memory. */
let unchanging: Int32Array | undefined;

/** Stops this thread, its event loop too, for so many milliseconds; they need not be whole. */
export function delay(milliseconds: number): void {
  if (!mayBlock) {
    spin(milliseconds);
    return;
  }
  unchanging ??= new Int32Array(new SharedArrayBuffer(4));
  // Races with nothing: it sleeps until the time is over.
  Atomics.wait(unchanging, 0, 0, milliseconds);
}

/** A page's main thread must not sleep; whoever calls this there lets no more than some milliseconds pass. */
function spin(milliseconds: number): void {
  const end = elapsed() + milliseconds;
  while (elapsed() < end);
}
