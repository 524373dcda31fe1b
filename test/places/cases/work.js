/** The job functions of the cases. */
import { group, isCancelled, run, signal, spawn } from "heddle/job";

export function add(a, b) {
  return a + b;
}

export function echo(value) {
  return value;
}

export function fib(n) {
  if (n < 2) return n;
  const first = run(fib, n - 1);
  return fib(n - 2) + first.wait();
}

export function fail(message) {
  throw Object.assign(new RangeError(message, { cause: new TypeError("deeper") }), { code: "E_CASE" });
}

export function count(cells, index) {
  Atomics.add(cells, index, 1);
}

export function countInGroup(cells, many) {
  const jobs = group();
  for (let k = 0; k < many; k++) jobs.run(count, cells, 0);
  jobs.wait();
  return cells[0];
}

export function linked(a) {
  const first = spawn(add, a, 1);
  const second = first.then(spawn(add, a, 2));
  return second.wait() + first.wait();
}

export function sumOf(channel) {
  let sum = 0;
  for (const value of channel) sum += value;
  return sum;
}

export function doneWith(waitGroup, cells) {
  Atomics.add(cells, 0, 1);
  waitGroup.done();
}

export async function later(milliseconds) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return milliseconds;
}

export async function awaits(n) {
  return (await run(later, n)) + (await run(add, n, n));
}

export async function untilStopped(begun) {
  const stop = signal();
  Atomics.store(begun, 0, 1);
  while (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
  return "stopped";
}

export function untilCancelled(begun) {
  Atomics.store(begun, 0, 1);
  while (!isCancelled());
  return "cancelled";
}

const never = new Int32Array(1);

export function endless() {
  // Bundlers leave out a loop in which nothing happens.
  while (Atomics.load(never, 0) === 0);
}

export function end(code) {
  process.exit(code);
}
