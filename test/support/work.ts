import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as threads from "node:worker_threads";
import type { Job } from "heddle";
import { group, run, spawn } from "heddle/job";
/** Job functions for the tests. */
export function nothing(): void {}
export function add(a: number, b: number): number {
  return a + b;
}
export function echo<T>(value: T): T {
  return value;
}
export function fib(n: number): number {
  if (n < 2) return n;
  const a = run(fib, n - 1);
  const b = fib(n - 2);
  return a.wait() + b;
}
export function boom(message: string): never {
  throw Object.assign(new RangeError(message), { code: "E_BOOM", detail: { n: 7 } });
}
export function log(order: Int32Array, id: number): void {
  order[1 + Atomics.add(order, 0, 1)] = id;
}
export function count(cells: Int32Array, index: number): void {
  Atomics.add(cells, index, 1);
}
export function spawnGroup(cells: Int32Array, index: number, n: number): void {
  const jobs = group();
  for (let k = 0; k < n; k++) jobs.run(count, cells, index);
  jobs.wait();
}
export function linkThem(first: Job<unknown>, next: Job<unknown>): void {
  first.then(next);
}
export function waitForIt(job: Job<number>): number {
  return job.wait() + 1;
}
export function logAndSpawn(order: Int32Array, id: number): void {
  log(order, id);
  spawn(log, order, id + 100).schedule();
}
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
/** Checks that all prerequisites have run, then marks itself; sleeps so many microseconds in between. */
export function node(done: Int32Array, index: number, prerequisites: readonly number[], microseconds: number): number {
  for (const first of prerequisites) if (Atomics.load(done, first) !== 1) Atomics.add(done, done.length - 1, 1);
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
  Atomics.add(done, index, 1);
  return index * 2;
}
/** Links and schedules from a worker: pairs of (prerequisite, next). */
export function linkAll(pairs: readonly number[], ...jobs: Job<unknown>[]): void {
  for (let k = 0; k < pairs.length; k += 2) jobs[pairs[k]].then(jobs[pairs[k + 1]]);
}
export function scheduleAll(...jobs: Job<unknown>[]): void {
  for (const job of jobs) job.schedule();
}
export function down(n: number): number {
  return n === 0 ? 0 : 1 + run(down, n - 1).wait();
}
export function logTwoAndWait(order: Int32Array): void {
  const a = run(log, order, 1);
  const b = run(log, order, 2);
  b.wait();
  a.wait();
  log(order, 3);
}
export function spawnMany(cells: Int32Array, n: number): void {
  const jobs = group();
  for (let k = 0; k < n; k++) jobs.run(count, cells, 0);
  jobs.wait();
}
export function spawnUnscheduled(n: number): number {
  const kept: Job<void>[] = [];
  for (let k = 0; k < n; k++) kept.push(spawn(nothing));
  return kept.length;
}
export function failInside(): void {
  run(boom, "from inside");
}
export function aPromise(): Promise<number> {
  return Promise.resolve(1);
}
export function aFunction(): () => void {
  return () => {};
}
export function makeShared(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * 8)).fill(7);
}
export function setTo(view: { cells: Int32Array; at: number }, value: number): void {
  view.cells[view.at] = value;
}
export function timer(cells: Int32Array): void {
  setTimeout(() => Atomics.store(cells, 0, 1), 20);
}
export function throwValue(value: unknown): never {
  throw value;
}
export function throwNested(): never {
  const error = new TypeError("outer", { cause: new SyntaxError("inner") });
  throw Object.assign(error, { callback: () => {}, errno: -2 });
}
export class NotAFunctionOfOurs {}

export function dieLater(): void {
  setTimeout(() => {
    throw new RangeError("outside of any job");
  }, 5);
}
export function exit(code: number): never {
  process.exit(code);
}

export async function later<T>(value: T, milliseconds: number): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return value;
}
export async function rejectLater(message: string): Promise<never> {
  await null;
  throw new Error(message);
}
export function aThenable(value: number): PromiseLike<number> {
  return { then: (resolve: (value: number) => unknown) => resolve(value) } as PromiseLike<number>;
}
/** A promise whose own `then` throws. */
export function aPromiseWithThen(value: number): Promise<number> {
  return Object.assign(Promise.resolve(value), {
    then(): never {
      throw new Error("from then");
    },
  });
}
/** A thenable that calls back more than once, and throws. */
export function aThenableTwice(value: number): object {
  return {
    then(resolve: (value: number) => unknown, reject: (error: unknown) => unknown): never {
      resolve(value);
      reject(new Error("rejected later"));
      throw new Error("thrown later");
    },
  };
}
export function aBadThenable(): object {
  return {
    get then(): never {
      throw new Error("from the getter");
    },
  };
}
export function aJob(value: number): Job<number> {
  return spawn(echo<number>, value);
}
export async function fibAsync(n: number): Promise<number> {
  if (n < 2) return n;
  const [a, b] = await Promise.all([run(fibAsync, n - 1), run(fibAsync, n - 2)]);
  return a + b;
}
export async function untilSet(flag: Int32Array): Promise<void> {
  while (Atomics.load(flag, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
export async function countLater(cells: Int32Array, index: number, milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  Atomics.add(cells, index, 1);
}
/** Counts in cell 0 how many are in flight, and keeps the most in cell 1. */
export async function countInFlight(cells: Int32Array): Promise<void> {
  const now = Atomics.add(cells, 0, 1) + 1;
  if (now > cells[1]) cells[1] = now;
  await new Promise((resolve) => setTimeout(resolve, 2));
  Atomics.sub(cells, 0, 1);
}
export function waitForLater(value: number): number {
  return run(later<number>, value, 1).wait();
}
export function unannounced(): Promise<number> {
  return new Promise((resolve) => setTimeout(() => resolve(1), 1));
}
export function waitForUnannounced(): number {
  return run(unannounced).wait();
}
export async function never(started: Int32Array): Promise<void> {
  Atomics.store(started, 0, 1);
  await new Promise(() => {});
}
/** Says in cell 0 that it runs, waits for cell 1, and then so many microseconds. */
export function holdFor(cells: Int32Array, microseconds: number): void {
  Atomics.store(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end);
}
export function failWhenSet(cells: Int32Array): never {
  holdFor(cells, 0);
  throw new Error("meant to fail");
}
/** Another thread's job fails while this one, which has nothing else to do, goes round its event loop. */
export function failMeanwhile(cells: Int32Array): void {
  run(failWhenSet, cells);
  letGoInCallback(cells);
}
/** Another thread's job, which code after this one awaits, ends while this thread goes round its event loop. */
export function countMeanwhile(cells: Int32Array): void {
  void run(holdFor, cells, 0).then(() => Atomics.add(cells, 2, 1));
  letGoInCallback(cells);
}
export function countGroupMeanwhile(cells: Int32Array): void {
  const jobs = group();
  jobs.run(holdFor, cells, 0);
  void jobs.then(() => Atomics.add(cells, 2, 1));
  letGoInCallback(cells);
}
function letGoInCallback(cells: Int32Array): void {
  while (Atomics.load(cells, 0) === 0);
  setImmediate(() => {
    Atomics.store(cells, 1, 1);
    const end = performance.now() + 20;
    while (performance.now() < end);
  });
}
/** @returns how many of `others` jobs ran before the wait for a failed job ended */
export function waitForFailure(others: number): number {
  const cells = new Int32Array(new SharedArrayBuffer(4));
  for (let k = 0; k < others; k++) run(count, cells, 0);
  const failing = run(boom, "at once");
  try {
    failing.wait();
  } catch {
    return cells[0];
  }
  throw new Error("did not fail");
}
export function echoWhenSet<T>(cells: Int32Array, value: T): T {
  while (Atomics.load(cells, 2) === 0);
  return value;
}
export function copyWhenSet(cells: Int32Array, source: Job<unknown>): unknown {
  while (Atomics.load(cells, 0) === 0);
  const result = source.wait();
  Atomics.add(cells, 1, 1);
  return result;
}
export function submitLater(cells: Int32Array, jobs: number): void {
  setImmediate(() => {
    for (let k = 0; k < jobs; k++) run(count, cells, 0);
    const end = performance.now() + 5;
    while (performance.now() < end);
  });
}
export function makeBytes(length: number): Uint8Array {
  return new Uint8Array(length);
}
/** Waits for a job that is ready, but behind an asynchronous one. */
export function waitBehindLater(value: number): number {
  const job = run(echo<number>, value);
  run(later<number>, 0, 1);
  return job.wait();
}
export async function echoInside(value: number): Promise<number> {
  return await run(echo<number>, value);
}
/** Waits for an asynchronous job of the main thread, which needs this thread for another, while it holds one up. */
export function waitForMain(value: number): number {
  const job = spawn(echoInside, value).with({ on: "main" }).schedule();
  run(later<number>, 0, 1);
  return job.wait();
}

/** Has jobs fill as many new shared arrays, one after the other. */
export function shareInside(count: number, bytes: number): void {
  for (let k = 0; k < count; k++) run(fillBytes, new Uint8Array(new SharedArrayBuffer(bytes))).wait();
}
export function fillBytes(bytes: Uint8Array): void {
  bytes.fill(1);
}
/** How many bytes of buffers that this thread has made are not freed; collects garbage before. */
export function bytesLeft(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().arrayBuffers;
}
/** What the thread was started with. */
export function surroundings(): [readonly string[], string | undefined, string | undefined] {
  return [process.execArgv, process.env.LOOM, (threads as { threadName?: string }).threadName];
}
