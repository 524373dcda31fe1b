/** Ends workers, one after the other, in all ways in which a worker may end. */
import type { Worker } from "node:worker_threads";
import type { JobKind } from "./plan.js";
import type { Random } from "./random.js";

/** How often a worker is ended, in milliseconds. */
const EVERY = 200;

/** Notes the worker threads of this process from now on, since a job system keeps its own to itself. */
export function watchWorkers(): ReadonlySet<Worker> {
  const workers = new Set<Worker>();
  process.on("worker", (worker) => {
    workers.add(worker);
    worker.once("exit", () => workers.delete(worker));
  });
  return workers;
}

/**
 * Ends a random worker every 200 ms: from outside, or by a job of a kind that does so.
 *
 * @returns how to stop it, which gives how many were ended each way
 */
export function endWorkers(
  workers: ReadonlySet<Worker>,
  random: Random,
  run: (kind: JobKind) => void,
): () => Record<string, number> {
  const ended = { terminated: 0, exiting: 0, throwingOutside: 0 };
  const timer = setInterval(() => {
    const how = random.of(["terminated", "exiting", "throwingOutside"] as const);
    ended[how]++;
    if (how === "terminated") void random.of([...workers]).terminate();
    else run(how);
  }, EVERY);
  return () => {
    clearInterval(timer);
    return ended;
  };
}
