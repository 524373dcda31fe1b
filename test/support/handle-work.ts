/** Job functions that are given handles of other jobs, and read these jobs' outcomes. */
import { type Job, shared } from "heddle";
import { group, run, spawn } from "heddle/job";

export function give<T>(value: T): T {
  return value;
}

export function fail(message: string): never {
  throw new RangeError(message);
}

function waitUntilSet(cells: Int32Array, at: number): void {
  while (Atomics.load(cells, at) === 0) Atomics.wait(cells, at, 0, 1);
}

/** Sets `cells[0]`, and returns when another thread sets `cells[1]`. */
export function hold<T>(cells: Int32Array, value: T): T {
  Atomics.store(cells, 0, 1);
  waitUntilSet(cells, 1);
  return value;
}

export function read<T>(job: Job<T>): T {
  return job.wait();
}

export async function readLater<T>(job: Job<T>): Promise<T> {
  await null;
  return await job;
}

/** Reads the outcome when `cells[0]` is set: without being asked whether it is there before. */
export function readWhenSet<T>(cells: Int32Array, job: Job<T>): T {
  waitUntilSet(cells, 0);
  return job.wait();
}

export async function readLaterWhenSet<T>(cells: Int32Array, job: Job<T>): Promise<T> {
  while (Atomics.load(cells, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  return await job;
}

export function outcomeWhenSet(cells: Int32Array, job: Job<unknown>): string {
  waitUntilSet(cells, 0);
  try {
    return `value ${job.wait()}`;
  } catch (error) {
    return (error as Error).name;
  }
}

/** Several handles, among other arguments. */
export function sumWhenSet(
  cells: Int32Array,
  ...rest: readonly (Job<number> | number | { readonly n: number })[]
): number {
  waitUntilSet(cells, 0);
  let sum = 0;
  for (const each of rest) sum += typeof each === "number" ? each : "n" in each ? each.n : each.wait();
  return sum;
}

/** A node of a graph: adds up what the jobs before it result in. */
export function sum(own: number, ...before: readonly Job<number>[]): number {
  let all = own;
  for (const job of before) all = (all + job.wait()) % 1_000_003;
  return all;
}

export async function sumLater(own: number, ...before: readonly Job<number>[]): Promise<number> {
  let all = own;
  for (const job of before) all = (all + (await job)) % 1_000_003;
  return all;
}

/** As `sumLater`, but fails where `own` is 0. */
export async function sumOrFail(own: number, ...before: readonly Job<number>[]): Promise<number> {
  if (own === 0) throw new RangeError("own is 0");
  return sumLater(own, ...before);
}

export function store(cells: Int32Array, at: number, job: Job<number>): void {
  Atomics.store(cells, at, job.wait());
}

/** Passes a handle on to a job that it waits for; and when it has the outcome itself, to a job that it does not wait for. */
export async function passOn(cells: Int32Array, job: Job<number>): Promise<number> {
  const inside = await run(readLater<number>, job);
  await job;
  void run(store, cells, 1, job).schedule();
  return inside;
}

/** On a worker: awaits a job while another one has its handle and has not read it yet. */
export async function lendHere(text: string): Promise<string> {
  const cells = shared(Int32Array, 1);
  const first = run(give<string>, text);
  const next = run(readLaterWhenSet<string>, cells, first);
  const mine = await first;
  Atomics.store(cells, 0, 1);
  const late = run(read<string>, first);
  return `${mine} ${await next} ${await late}`;
}

/** On a worker: a group whose jobs have handles. */
export function lendToGroup(count: number): number {
  const cells = shared(Int32Array, count);
  const jobs = group();
  const first = spawn(give<number>, 7);
  for (let k = 0; k < count; k++) jobs.run(store, cells, k, first);
  first.wait();
  jobs.wait();
  return cells.reduce((all, each) => all + each, 0);
}

/** Ends its worker the first time, and then reads the outcome. */
export function exitThenRead<T>(cells: Int32Array, job: Job<T>): T {
  if (Atomics.add(cells, 0, 1) === 0) process.exit(3);
  return job.wait();
}

/** Ends its worker, which has a job's outcome that it has lent to a job that still runs. */
export async function exitAsOwner(cells: Int32Array, text: string): Promise<void> {
  const first = run(give<string>, text);
  void run(readLaterWhenSet<string>, cells, first).schedule();
  await first;
  process.exit(4);
}
