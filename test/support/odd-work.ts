import { isMainThread } from "node:worker_threads";
import type { Job } from "heddle";
import { group, run, spawn } from "heddle/job";
import { type OddName, oddIn, type Place } from "./odd.js";

/** Job functions that behave oddly. */
export function add(a: number, b: number): number {
  return a + b;
}
export function nothing(): void {}
export function ignore(..._values: unknown[]): number {
  return 1;
}
export function throwOdd(name: OddName, places: readonly Place[]): never {
  throw oddIn(name, places);
}
export function returnOdd(name: OddName, places: readonly Place[]): unknown {
  return oddIn(name, places);
}
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
export function fail(message: string): never {
  throw new Error(message);
}
export function returnLarge(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}
export function lengthOf(view: ArrayLike<unknown>): number {
  return view.length;
}
export function sum(...values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
/** Adds how many `values` there are. */
export function addTo(cells: Int32Array, ...values: number[]): void {
  Atomics.add(cells, 0, values.length);
}
/** Ends its worker. */
export function exit(): void {
  if (!isMainThread) process.exit(3);
}
/** A binary tree of jobs. @returns its leaves */
export function spread(depth: number): number {
  if (depth === 0) return 1;
  const left = run(spread, depth - 1);
  const right = spawn(spread, depth - 1);
  const both = group();
  both.run(nothing);
  both.wait();
  return left.wait() + right.wait();
}
export function linkHandles(first: Job<unknown>, next: Job<unknown>): void {
  first.then(next);
}
let kept: Job<number> | undefined;
/** Keeps a handle on the thread that this job runs on. */
export function keep(job: Job<number>): void {
  kept = job;
}
export function waitForKept(): number {
  return kept === undefined ? 0 : kept.wait();
}
/** Waits before its promise is given. */
export async function waitForKeptAtOnce(): Promise<number> {
  return waitForKept();
}
/** Waits after that, when its thread's event loop is to go on with it. */
export async function waitForKeptLater(): Promise<number> {
  await null;
  return waitForKept();
}
export async function addLater(a: number, b: number): Promise<number> {
  await null;
  return a + b;
}
/** Ends its worker when it is suspended. */
export async function exitSuspended(): Promise<void> {
  await null;
  exit();
}
export function keepAndWait(): number {
  kept = spawn(waitForKept);
  return kept.wait();
}
/** Waits, deep in other jobs, for itself. */
export function waitBelow(depth: number): number {
  return depth === 0 ? keepAndWait() : run(waitBelow, depth - 1).wait();
}
/** Waits in all orders for jobs of its own that come after each other. */
export function waitForOwn(): number {
  const first = spawn(sleep, 0.2);
  const second = spawn(add, 1, 2).after(first);
  const third = spawn(add, 3, 4).after(first, second);
  const result = third.wait();
  first.wait();
  return result + second.wait();
}
/** Ends its worker with an error outside of any job. */
export function exitLater(): void {
  if (isMainThread) return;
  setTimeout(() => {
    throw new RangeError("outside of any job");
  }, 1);
}
/** Waits so many jobs deep. */
export function down(depth: number): number {
  return depth === 0 ? 0 : 1 + run(down, depth - 1).wait();
}
export function startAndSleep(started: Int32Array, milliseconds: number): void {
  Atomics.add(started, 0, 1);
  sleep(milliseconds);
}
export function waitForAddLater(a: number, b: number): number {
  return run(addLater, a, b).wait();
}
/** Its promise never settles. */
export async function startAndHang(started: Int32Array): Promise<void> {
  Atomics.add(started, 0, 1);
  await new Promise(() => {});
}
export function waitForHanging(started: Int32Array): void {
  run(startAndHang, started).wait();
}
