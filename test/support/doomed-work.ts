/** A module whose workers all die soon, with no job to blame. */
import { isMainThread } from "node:worker_threads";

if (!isMainThread) {
  setTimeout(() => {
    throw new Error("doomed");
  }, 20);
}

export function nothing(): void {}
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
