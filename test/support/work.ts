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
