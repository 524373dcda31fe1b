/** Job functions that send messages of their own, and use what belongs to the user on a worker. */
import { getEnvironmentData, isMainThread, parentPort, workerData } from "node:worker_threads";

/** In the environment of workers that send a message while they load this. */
export const EARLY = "HEDDLE_TEST_WORKERS_SEND";

if (!isMainThread && process.env[EARLY] !== undefined) {
  parentPort?.postMessage(process.env[EARLY]);
  parentPort?.postMessage({ type: "refused", error: "none" });
}

export function send(value: unknown): string {
  parentPort?.postMessage(value);
  return "sent";
}
export function add(a: number, b: number): number {
  return a + b;
}
export function exit(code: number): never {
  process.exit(code);
}
/** What is the user's: nobody has given any. */
export async function given(): Promise<unknown[]> {
  const { default: threads } = await import("node:worker_threads");
  return [workerData, threads.workerData, getEnvironmentData("of the user")];
}
/** Whatever a module may do to the port that Node gives to workers. */
export function misuse(): void {
  parentPort?.on("message", () => {});
  parentPort?.removeAllListeners();
  parentPort?.unref();
  parentPort?.ref();
  parentPort?.unref();
  parentPort?.close();
}
