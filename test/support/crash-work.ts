/** Job functions that end their worker, and others to run beside them. */
import { isMainThread, parentPort } from "node:worker_threads";
import { group, type Job, run, spawn } from "heddle/job";

// See `watchWorkers`.
parentPort?.postMessage("loaded");

export function add(a: number, b: number): number {
  return a + b;
}
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
export function later(milliseconds: number): Promise<number> {
  return new Promise((resolve) => setTimeout(() => resolve(milliseconds), milliseconds));
}
export function fail(message: string): never {
  throw new Error(message);
}
/** On the main thread, which may run it while it waits, it only throws. */
export function exit(code: number): never {
  if (isMainThread) throw new Error("on the main thread");
  process.exit(code);
}
export async function exitLater(code: number): Promise<void> {
  await later(1);
  exit(code);
}
export function hog(): number {
  if (isMainThread) throw new Error("on the main thread");
  const all: unknown[] = [];
  // In small pieces: Node 24 and later abort the whole process when a worker asks for large ones beyond its limit.
  for (;;) all.push({ number: all.length, list: [1, 2, 3] });
}
/** Throws outside of any job, when this one has long ended. */
export function throwOutside(): void {
  setTimeout(() => {
    throw new Error("outside of any job");
  }, 5);
}
export function exitInChild(code: number): void {
  run(exit, code).wait();
}
/** Makes many jobs, which nobody waits for any more once this one has ended its worker. */
export function exitAsParent(cells: Int32Array, count: number): void {
  const all = group();
  for (let k = 0; k < count; k++) {
    spawn(mark, cells, k).after(run(sleep, 0)).schedule();
    all.run(mark, cells, count + k);
  }
  exit(4);
}
export function mark(cells: Int32Array, index: number): number {
  return Atomics.add(cells, index, 1);
}
/** Sums what jobs of its own give. */
export function sumOf(count: number): number {
  const jobs = Array.from({ length: count }, (_, k) => run(add, k, 1));
  return jobs.reduce((sum, job) => sum + job.wait(), 0);
}
export function waitFor(job: Job<number>): number {
  return job.wait();
}
export async function awaitJob(job: Job<number>): Promise<number> {
  return await job;
}
/** Links and schedules jobs of other threads until it is ended by another. */
export function churn(milliseconds: number): number {
  const end = performance.now() + milliseconds;
  let done = 0;
  while (performance.now() < end) {
    const first = run(add, 1, 1);
    const others = Array.from({ length: 20 }, (_, k) => spawn(add, k, k).after(first));
    const last = spawn(add, 0, 0).after(...others);
    const all = group();
    for (let k = 0; k < 20; k++) all.run(add, k, k);
    last.wait();
    all.wait();
    done++;
  }
  return done;
}
export function text(words: string, list: readonly string[], map: ReadonlyMap<string, number>): string {
  return `${words}${list.length}${map.size}`;
}
export function fill(array: Float64Array, value: number): number {
  array.fill(value);
  return array.length;
}
/** A new shared array, filled by a job that is given it. */
export function share(length: number): Float64Array {
  const array = new Float64Array(new SharedArrayBuffer(8 * length));
  run(fill, array, 7).wait();
  return array;
}
/** Ends its worker until it has been tried `tries` times. @returns what it was given, to see that the arguments stay */
export function flaky(cells: Int32Array, tries: number, words: string, list: readonly number[]): string {
  if (Atomics.add(cells, 0, 1) + 1 < tries) exit(8);
  return `${words}${list.length}`;
}
export async function flakyLater(cells: Int32Array, tries: number, map: ReadonlyMap<string, number>): Promise<number> {
  const tried = Atomics.add(cells, 0, 1) + 1;
  await later(1);
  if (tried < tries) exit(8);
  return map.size;
}
/** Says so, and loops for ever, whatever it is told. */
export function loop(cells: Int32Array): never {
  Atomics.store(cells, 0, 1);
  for (;;);
}
export async function loopLater(cells: Int32Array): Promise<void> {
  await later(1);
  loop(cells);
}
/** The child has a limit of its own: another worker may take it, and would loop for ever. */

export function countEndlessly(cells: Int32Array): never {
  for (;;) Atomics.add(cells, 0, 1);
}
export function countAndSleep(cells: Int32Array): never {
  for (;;) {
    Atomics.add(cells, 0, 1);
    sleep(1);
  }
}
export function loopInChild(): void {
  spawn(loop, new Int32Array(new SharedArrayBuffer(4)))
    .with({ timeout: 500, kill: true })
    .wait();
}
