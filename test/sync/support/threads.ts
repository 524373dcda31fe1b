/** Runs a module on several real threads at once. */
import { Worker } from "node:worker_threads";

/** Starts `module` once for each of `data`; resolves with what each posts last. */
export async function onThreads<T>(module: URL, data: readonly unknown[]): Promise<T[]> {
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
        }),
    ),
  );
}
