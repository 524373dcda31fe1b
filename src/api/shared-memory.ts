/** Memory that threads share, and that goes by reference from thread to thread. */
import { noSharedMemory } from "../platform/host.js";

/**
 * Makes a shared buffer.
 *
 * @throws Error where there is no shared memory, which says what to do; RangeError when there is not enough
 */
export function sharedBuffer(bytes: number): SharedArrayBuffer {
  if (noSharedMemory !== undefined) throw new Error(noSharedMemory);
  return new SharedArrayBuffer(bytes);
}
