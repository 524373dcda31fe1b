/** Job functions for the tests of clusters. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { idempotencyKey } from "heddle/cluster";
import { group, isCancelled, type Job, run, signal } from "heddle/job";

export function add(a: number, b: number): number {
  return a + b;
}
export function double(n: number): number {
  return 2 * n;
}
export function sum(...jobs: Job<number>[]): number {
  return jobs.reduce((total, job) => total + job.wait(), 0);
}
export async function sumLater(...jobs: Job<number>[]): Promise<number> {
  return (await Promise.all(jobs)).reduce((total, n) => total + n, 0);
}
export function echo(...values: unknown[]): unknown {
  return values;
}
/** What a job is given as a handle. */
export function echoResult(job: Job<unknown>): unknown {
  return job.wait();
}
export function fail(message: string): never {
  throw Object.assign(new RangeError(message, { cause: new Error("deeper") }), { code: 7, list: [1, 2] });
}
export function nothing(): void {}
export function throwNumber(): never {
  throw 42;
}
export function giveFunction(): unknown {
  return { inside: () => 1 };
}
export function giveBytes(count: number): Uint8Array {
  return new Uint8Array(count).fill(1);
}
/** Notes each attempt in a file, and throws until there were `tries`. */
export function flaky(file: string, tries: number): number {
  appendFileSync(file, `${idempotencyKey()}\n`);
  const tried = linesIn(file);
  if (tried < tries) throw new Error(`attempt ${tried}`);
  return tried;
}
/** As `flaky`, but its thread dies. */
export function dying(file: string, tries: number): number {
  appendFileSync(file, `${idempotencyKey()}\n`);
  const tried = linesIn(file);
  if (tried < tries) process.exit(9);
  return tried;
}
function linesIn(file: string): number {
  return readFileSync(file, "utf8").split("\n").length - 1;
}
/** How many bytes the results have, and the sum of the first of each. */
export function measure(...jobs: Job<Uint8Array>[]): number[] {
  const all = jobs.map((job) => job.wait());
  return [all.reduce((sum, { length }) => sum + length, 0), all.reduce((sum, [first]) => sum + first, 0)];
}
export async function measureLater(...jobs: Job<Uint8Array>[]): Promise<number[]> {
  return measure(...jobs);
}
export async function keyLater(): Promise<(string | undefined)[]> {
  const before = idempotencyKey();
  await new Promise((resolve) => setTimeout(resolve, 5));
  return [before, idempotencyKey(), await run(keyInside)];
}
export function keyInside(): string | undefined {
  return idempotencyKey();
}
export function note(file: string, line: string): string {
  appendFileSync(file, `${line}\n`);
  return line;
}
/** Notes that it runs, and runs until the file `go` is there or it is asked to stop. */
export async function until(go: string, file: string): Promise<string> {
  appendFileSync(file, "started\n");
  const stop = signal();
  while (!existsSync(go)) {
    if (stop.aborted) {
      appendFileSync(file, "stopped\n");
      throw stop.reason;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return "went";
}
/** Keeps its thread until the file `go` is there. */
export function holdThread(go: string, file: string): string {
  appendFileSync(file, "started\n");
  while (!existsSync(go)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  return "went";
}
/** Ends when so many of them have started. */
export async function together(file: string, count: number): Promise<number> {
  appendFileSync(file, "started\n");
  while (linesIn(file) < count) await new Promise((resolve) => setTimeout(resolve, 2));
  return count;
}
/** Runs for ever, unless it is asked to stop. */
export function loop(): string {
  while (!isCancelled()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  return "stopped";
}
export function sleep(milliseconds: number): number {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  return milliseconds;
}
/** Thousands of local jobs within one of the cluster. */
export function fine(count: number): number {
  const cells = new Int32Array(new SharedArrayBuffer(4));
  const all = group();
  for (let k = 0; k < count; k++) all.run(count1, cells);
  all.wait();
  return cells[0];
}
export function count1(cells: Int32Array): void {
  Atomics.add(cells, 0, 1);
}
/** A job of a random graph: mixes its number with what the jobs before it gave; some fail. */
export function mix(number: number, fails: boolean, ...before: Job<number>[]): number {
  const value = before.reduce((mixed, job) => (Math.imul(mixed, 31) + job.wait()) | 0, number);
  if (fails) throw new Error(`job ${number} fails with ${value}`);
  return value;
}
/** Takes some time, and says in which process. */
export async function where(milliseconds: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return process.pid;
}
/** Ends the whole process, as if it had been killed. */
export function killProcess(): void {
  process.kill(process.pid, "SIGKILL");
}
/** Ends its thread while others are suspended on it. */
export async function endThreadLater(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.exit(7);
}
/** As `mix`, but takes some time. */
export async function mixSlowly(number: number, fails: boolean, ...before: Job<number>[]): Promise<number> {
  const values = await Promise.all(before);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const value = values.reduce((mixed, each) => (Math.imul(mixed, 31) + each) | 0, number);
  if (fails) throw new Error(`job ${number} fails with ${value}`);
  return value;
}
