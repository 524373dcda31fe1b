/** Job functions that run on certain threads, or make jobs that do. */
import { isMainThread } from "node:worker_threads";
import type { Job } from "heddle";
import { group, run, spawn } from "heddle/job";
import { type Placement, withPlacement } from "./with.js";

export function nothing(): void {}
export function add(a: number, b: number): number {
  return a + b;
}
export function log(order: Int32Array, id: number): void {
  order[1 + Atomics.add(order, 0, 1)] = id;
}
export function count(cells: Int32Array, index: number): void {
  Atomics.add(cells, index, 1);
}
export function fail(message: string): never {
  throw new RangeError(message);
}
/** Whether it runs on the creating thread. */
export function here(): boolean {
  return isMainThread;
}
export function copy(value: unknown): unknown {
  return { value, isMainThread };
}
/** Says in cell 0 that it runs, and waits for cell 1. */
export function holdUntil(cells: Int32Array): void {
  Atomics.add(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
}
export function set(cells: Int32Array, index: number): void {
  Atomics.store(cells, index, 1);
}
/** Runs again, with high priority, until cell 0 is set. */
export function untilSet(cells: Int32Array, placement: Placement): void {
  Atomics.add(cells, 1, 1);
  if (Atomics.load(cells, 0) === 0) withPlacement(spawn(untilSet, cells, placement), placement).schedule();
}
/** @returns the result of a job that is placed somewhere */
export function waitForPlaced(a: number, b: number, placement: Placement): number {
  return withPlacement(spawn(add, a, b), placement).wait();
}
export async function awaitPlaced(a: number, b: number, placement: Placement): Promise<number> {
  return await withPlacement(spawn(add, a, b), placement);
}
export function waitForIt(job: Job<unknown>): unknown {
  return job.wait();
}
const PLACES: readonly Placement[] = [
  { priority: "high" },
  {},
  { priority: "low" },
  { on: "main" },
  { priority: "high", on: "main" },
];
/** Fork and join, each part elsewhere. */
export function fib(n: number, places: number): number {
  if (n < 2) return n;
  const a = withPlacement(spawn(fib, n - 1, places), PLACES[n % places]);
  const b = withPlacement(spawn(fib, n - 2, places), PLACES[(n + 1) % places]);
  a.schedule();
  b.schedule();
  return a.wait() + b.wait();
}
/** Waits for jobs inside each other, `n` deep. @returns how deep it came; what could not be waited for runs later */
export function down(n: number, placement: Placement): number {
  if (n === 0) return 0;
  const next = withPlacement(spawn(down, n - 1, placement), placement);
  try {
    return 1 + next.wait();
  } catch (error) {
    if (error instanceof RangeError && /deep/.test(error.message)) return 0;
    throw error;
  }
}
export async function later(value: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  if (!isMainThread) throw new Error("not on the main thread");
  return value;
}
/** After an await, too, jobs can be made. */
export async function addLater(a: number, b: number): Promise<number> {
  const first = await run(add, a, b);
  await new Promise((resolve) => setTimeout(resolve, 1));
  return await spawn(add, first, 0);
}
export function waitForLater(value: number): number {
  return withPlacement(spawn(later, value), { on: "main" }).wait();
}
export async function whenSet(cells: Int32Array): Promise<void> {
  Atomics.store(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
/** Makes more jobs than there is room for. */
export function fill(cells: Int32Array, jobs: number, placement: Placement): void {
  const many = group();
  for (let k = 0; k < jobs; k++) {
    many.run(count, cells, 0);
    withPlacement(spawn(count, cells, 1), placement).schedule();
  }
  many.wait();
}
/** One after the other, here and there; each is only made by the one before. */
export function pass(cells: Int32Array, left: number): void {
  if (left % 2 === 0 && !isMainThread) throw new Error("on the wrong thread");
  Atomics.add(cells, 0, 1);
  if (left > 0) withPlacement(spawn(pass, cells, left - 1), left % 2 === 1 ? { on: "main" } : {}).schedule();
}
export type NodeArguments = [done: Int32Array, index: number, prerequisites: readonly number[], pinned: boolean];
/** Checks that all prerequisites have run and that it runs where it should, then marks itself. */
export function node(...[done, index, prerequisites, pinned]: NodeArguments): number {
  for (const first of prerequisites) if (Atomics.load(done, first) !== 1) Atomics.add(done, done.length - 1, 1);
  if (pinned && !isMainThread) Atomics.add(done, done.length - 1, 1);
  Atomics.add(done, index, 1);
  return index * 2;
}
export async function nodeLater(...args: NodeArguments): Promise<number> {
  await null;
  return node(...args);
}
