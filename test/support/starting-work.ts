/** A module whose workers do not get ready, in the way that the main thread's environment says. */
import { isMainThread, parentPort } from "node:worker_threads";

/** In the environment of those workers. */
export const HOW = "HEDDLE_TEST_WORKERS_START";

const how = isMainThread ? undefined : process.env[HOW];
if (how === "wait") {
  parentPort?.ref();
  parentPort?.on("message", () => {});
  await new Promise(() => {});
}
if (how === "wait for nothing") await new Promise(() => {});
if (how === "loop") for (;;);
if (how === "throw") {
  // This one does not end by itself.
  setInterval(() => {}, 1000);
  throw new RangeError("not today");
}
if (how === "exit") process.exit(9);

export function add(a: number, b: number): number {
  return a + b;
}
export function exit(): never {
  process.exit(1);
}
export function take(_bytes: Uint8Array): void {}
export function loop(): never {
  for (;;);
}
export async function never(): Promise<void> {
  await new Promise(() => {});
}
