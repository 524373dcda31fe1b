/** Job functions that open nothing of the host. */
import { performance } from "node:perf_hooks";

/** How long this thread's event loop has been idle, in milliseconds: it is not, while the thread is blocked. */
export function idle(): number {
  return performance.eventLoopUtilization().idle;
}

/** Computes, and spawns promises, which open nothing. */
export async function compute(): Promise<number> {
  await null;
  return structuredClone({ a: [1, 2, 3] }).a.length;
}
