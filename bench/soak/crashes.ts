/** Ends workers, one after the other, in all ways in which a worker may end. */
import type { Worker } from "node:worker_threads";
import type { JobKind } from "./plan.js";
import type { Random } from "./random.js";

/** How often a worker is ended, in milliseconds. */
const EVERY = 200;

/** The worker threads of this process, and those of them that have started. */
export interface Workers {
  readonly all: ReadonlySet<Worker>;
  readonly ready: ReadonlySet<Worker>;
}

/**
 * Notes the worker threads of this process from now on, since a job system keeps its own to itself. A module of jobs says that it
 * was loaded: `parentPort.postMessage`.
 */
export function watchWorkers(): Workers {
  const all = new Set<Worker>();
  const ready = new Set<Worker>();
  process.on("worker", (worker) => {
    all.add(worker);
    worker.once("message", () => ready.add(worker));
    worker.once("exit", () => {
      all.delete(worker);
      ready.delete(worker);
    });
  });
  return { all, ready };
}

/**
 * Ends a random worker every 200 ms: from outside, or by a job of a kind that does so. Not while more than a third of them
 * are just starting: on a machine that has other things to do, nothing else would ever run.
 *
 * @returns how to stop it, which gives how many were ended each way
 */
export function endWorkers(
  { all, ready }: Workers,
  random: Random,
  run: (kind: JobKind) => void,
): () => Record<string, number> {
  const ended = { terminated: 0, exiting: 0, throwingOutside: 0 };
  const timer = setInterval(() => {
    if (all.size === 0 || 3 * ready.size < 2 * all.size) return;
    const how = random.of(["terminated", "exiting", "throwingOutside"] as const);
    ended[how]++;
    if (how === "terminated") void random.of([...all]).terminate();
    else run(how);
  }, EVERY);
  return () => {
    clearInterval(timer);
    return ended;
  };
}
