import { group, run, spawn } from "heddle/job";
import type { Job } from "heddle";
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
