/** Memory that threads share, and that goes by reference from thread to thread. */
import { withoutSharedMemory } from "../platform/host.js";

/**
 * Makes a shared buffer.
 *
 * @throws Error where there is no shared memory, which says what to do; RangeError when there is not enough
 */
export function sharedBuffer(bytes: number): SharedArrayBuffer {
  const why = withoutSharedMemory();
  if (why !== undefined) throw new Error(why);
  return new SharedArrayBuffer(bytes);
}
