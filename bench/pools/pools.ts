/**
 * The thread pools of npm, each with the settings that were quickest for empty tasks in a trial. They are never
 * closed, but end with the process: Poolifier's `destroy` now and then gives a promise that never settles.
 */
import { fileURLToPath } from "node:url";
import { FixedQueue, Piscina } from "piscina";
import { FixedThreadPool } from "poolifier";
import { Tinypool } from "tinypool";
import workerpool from "workerpool";

export interface Pool {
  /** Runs an empty task. */
  run(): PromiseLike<unknown>;
}

export type PoolName = keyof typeof POOLS;

export function openPool(name: PoolName, threads: number): Pool {
  return POOLS[name](threads);
}

const POOLS = {
  Piscina: piscina,
  Tinypool: tinypool,
  workerpool: ofWorkerpool,
  Poolifier: poolifier,
};

export const POOL_NAMES = Object.keys(POOLS) as PoolName[];

const task = (file: string) => new URL(file, import.meta.url);

/**
 * With 200,000 tasks in flight, 10 tasks per worker took half the time of 1, and 100 or 1000 no less; its own
 * `FixedQueue` and no recording of times gained a little; `atomics: "async"` and "disabled" lost against "sync".
 */
function piscina(threads: number): Pool {
  const pool = new Piscina({
    filename: task("./task.js").href,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 10,
    atomics: "sync",
    recordTiming: false,
    taskQueue: new FixedQueue(),
  });
  return { run: () => pool.run(undefined) };
}

/** 10 tasks per worker were quicker than 1, 4 and 100; with atomics quicker than without. */
function tinypool(threads: number): Pool {
  const pool = new Tinypool({
    filename: task("./task.js").href,
    minThreads: threads,
    maxThreads: threads,
    concurrentTasksPerWorker: 10,
    useAtomics: true,
  });
  return { run: () => pool.run(undefined) };
}

/** It has no setting for how many tasks a worker gets at once. */
function ofWorkerpool(threads: number): Pool {
  const pool = workerpool.pool(fileURLToPath(task("./workerpool-task.js")), {
    minWorkers: threads,
    maxWorkers: threads,
    workerType: "thread",
  });
  return { run: () => pool.exec("nothing") };
}

/** Without events it was a little quicker; its queue of tasks and the other strategies gained nothing. */
function poolifier(threads: number): Pool {
  const pool = new FixedThreadPool(threads, fileURLToPath(task("./poolifier-task.js")), { enableEvents: false });
  return { run: () => pool.execute() };
}
