/** Job functions that are at an awkward moment when something comes about. */
import type { WaitGroup } from "heddle";
import { type Group, group, isCancelled, type Job, run, signal, spawn } from "heddle/job";
import { count, holdFor, sleep, untilSet } from "./work.js";

export * from "./work.js";

/** As long as it waits for the flag, its thread sleeps; nobody is told of what it does then. */
export async function awaitWhenSet(flag: Int32Array, job: Job<number>): Promise<number> {
  await untilSet(flag);
  return (await job) + 1;
}

/** Blocks its thread, which was asleep, until another one has run a job. */
export async function blockAfterAwait(cells: Int32Array): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  run(count, cells, 0);
  Atomics.wait(cells, 1, 0, 20);
  while (Atomics.load(cells, 0) === 0);
}

/** Waits synchronously while its thread's loop sleeps. */
export async function waitAfterAwait(cells: Int32Array): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  const job = run(holdFor, cells, 0);
  while (Atomics.load(cells, 0) === 0);
  job.wait();
}

export function countInLaterTurns(cells: Int32Array): void {
  setImmediate(() => setImmediate(() => Atomics.add(cells, 0, 1)));
  setTimeout(() => setImmediate(() => setImmediate(() => Atomics.add(cells, 0, 1))), 1);
}

export function untilCancelled(cells: Int32Array): void {
  Atomics.store(cells, 0, 1);
  while (!isCancelled());
  Atomics.store(cells, 1, 1);
}
/** Leaves a job, on another thread, to a signal whose timer keeps nothing alive. */
export function cancelInTime(cells: Int32Array): void {
  spawn(untilCancelled, cells)
    .with({ signal: AbortSignal.timeout(20) })
    .schedule();
  while (Atomics.load(cells, 0) === 0);
}

let open: Group;
/** Waits for a group to which a job that this thread executes meanwhile adds one that another thread executes. */
export function waitForGrowing(first: Int32Array, second: Int32Array): void {
  open = group();
  open.run(grow, first, second);
  open.wait();
}
export function grow(first: Int32Array, second: Int32Array): void {
  open.run(holdFor, second, 0);
  Atomics.store(first, 1, 1);
  while (Atomics.load(second, 0) === 0);
}

/** Its first run ends its thread, once cell 1 is set; cell 0 counts the runs. */
export function dieOnce(cells: Int32Array, waiters: WaitGroup): void {
  const runs = Atomics.add(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
  if (runs === 0) process.exit(7);
  waiters.done();
}
export function waitForOthers(cells: Int32Array, waiters: WaitGroup): void {
  Atomics.store(cells, 1, 1);
  waiters.waitSync();
}
/** Short jobs, one after the other, until `dieOnce` runs again. */
export function keepBusy(cells: Int32Array): void {
  Atomics.store(cells, 1, 1);
  sleep(5);
  if (Atomics.load(cells, 0) < 2) run(keepBusy, cells);
}

const controllers: AbortController[] = [];
/** Asynchronous jobs, each of which makes the next step ready when it is cancelled, which each step does with one. */
export function stepByStep(cells: Int32Array, steps: number): void {
  for (let k = 0; k < steps; k++) {
    controllers[k] = new AbortController();
    spawn(stepWhenAborted, cells, k).with({ signal: controllers[k].signal }).schedule();
  }
}
export async function stepWhenAborted(cells: Int32Array, k: number): Promise<void> {
  const stop = signal();
  await new Promise((resolve) => {
    stop.addEventListener("abort", () => {
      if (k + 1 < controllers.length) run(step, cells, k + 1);
      resolve(undefined);
    });
  });
}
export function step(cells: Int32Array, k: number): void {
  // Its thread's event loop gets a turn after so many steps.
  if (k === 0) setImmediate(() => Atomics.store(cells, 1, Atomics.load(cells, 0)));
  sleep(1);
  Atomics.add(cells, 0, 1);
  controllers[k].abort();
}
