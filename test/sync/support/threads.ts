/** Runs a module on several real threads at once. */
import { Worker } from "node:worker_threads";

/**
 * Starts `module` once for each of `data`; resolves with what each posts last.
 *
 * @param signal ends the threads; a test's own fires when it has taken too long
 */
export async function onThreads<T>(module: URL, data: readonly unknown[], signal?: AbortSignal): Promise<T[]> {
  return Promise.all(
    data.map(
      (workerData) =>
        new Promise<T>((resolve, reject) => {
          const worker = new Worker(module, { workerData });
          let last: T;
          worker.on("message", (message: T) => {
            last = message;
          });
          worker.on("error", reject);
          worker.on("exit", () => resolve(last));
          signal?.addEventListener("abort", () => void worker.terminate());
        }),
    ),
  );
}
