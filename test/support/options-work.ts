/** Job functions for the tests of options. Cells: 0 says that a job has started, 1 lets it end, 2 counts ends. */
import { isMainThread } from "node:worker_threads";
import { type Job, JobCancelledError, JobTimeoutError } from "heddle";
import { isCancelled, signal, spawn } from "heddle/job";

export function nothing(): void {}
export function add(a: number, b: number): number {
  return a + b;
}
export function count(cells: Int32Array, index: number): void {
  Atomics.add(cells, index, 1);
}
export function boom(): never {
  throw new RangeError("boom");
}
export function onMainThread(): boolean {
  return isMainThread;
}
/** Runs until cell 1 is set, whatever it is asked. */
export function hold(cells: Int32Array): string {
  Atomics.add(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0) Atomics.wait(cells, 1, 0, 5);
  Atomics.add(cells, 2, 1);
  return "held";
}
export function holdAndThrow(cells: Int32Array): never {
  hold(cells);
  throw new RangeError("thrown late");
}
export async function holdLater(cells: Int32Array): Promise<string> {
  Atomics.add(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  Atomics.add(cells, 2, 1);
  return "held";
}
export function untilCancelled(cells: Int32Array): string {
  Atomics.add(cells, 0, 1);
  while (!isCancelled());
  Atomics.add(cells, 2, 1);
  return signal().aborted ? "stopped" : "not aborted";
}
export function throwWhenCancelled(cells: Int32Array): never {
  untilCancelled(cells);
  throw new RangeError("stopped");
}
export async function untilAborted(cells: Int32Array): Promise<string> {
  const aborted = signal();
  if (aborted !== signal()) throw new Error("another signal");
  Atomics.add(cells, 0, 1);
  if (!aborted.aborted) await new Promise((resolve) => aborted.addEventListener("abort", resolve));
  cells[3] = aborted.reason.name === "TimeoutError" ? 1 : 2;
  Atomics.add(cells, 2, 1);
  return aborted.reason.name;
}
export async function throwWhenAborted(cells: Int32Array): Promise<never> {
  const aborted = signal();
  await new Promise((resolve) => {
    aborted.addEventListener("abort", resolve);
    Atomics.add(cells, 0, 1);
  });
  throw aborted.reason;
}
/** Asks after its first `await`. */
export async function askLate(what: "isCancelled" | "signal"): Promise<unknown> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return what === "signal" ? signal() : isCancelled();
}
export function askWithoutOptions(): boolean {
  return isCancelled() || signal().aborted;
}
export function askAfterWait(): boolean {
  const controller = new AbortController();
  const job = spawn(nothing).with({ signal: controller.signal });
  controller.abort();
  try {
    job.wait();
  } catch {
    return isCancelled();
  }
  throw new Error("was not cancelled");
}
/** Waits for a job of its own, which this thread may run itself, and whose time is over. */
export function timeOutInside(cells: Int32Array): number {
  const job = spawn(untilCancelled, cells).with({ timeout: 20, name: "inner" });
  try {
    job.wait();
  } catch (error) {
    if (error instanceof JobTimeoutError && error.job === "inner") return error.timeout;
    throw error;
  }
  return 0;
}
export async function timeOutInsideLater(cells: Int32Array): Promise<number> {
  try {
    await spawn(untilCancelled, cells).with({ timeout: 20 });
  } catch (error) {
    return (error as JobTimeoutError).timeout;
  }
  return 0;
}
export async function cancelInside(cells: Int32Array): Promise<string> {
  const controller = new AbortController();
  const running = spawn(untilAborted, cells).with({ signal: controller.signal });
  const after = spawn(count, cells, 4).after(running).with({ signal: controller.signal });
  after.schedule();
  while (Atomics.load(cells, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  controller.abort(new Error("inside"));
  const error = await after.then(undefined, (thrown: unknown) => thrown);
  if (!(error instanceof JobCancelledError)) throw error;
  return `${await running}, ${(error.cause as Error).message}`;
}
export function setOptionsOf(job: Job<unknown>): void {
  job.with({ name: "mine" });
}
export function nameOf(job: Job<unknown>): string {
  return job.name;
}
export function outcomeOf(job: Job<unknown>): string {
  try {
    return String(job.wait());
  } catch (error) {
    return `${(error as Error).name}: ${(error as JobCancelledError).job}`;
  }
}
/** Takes so many microseconds. */
export function work(microseconds: number): void {
  const end = performance.now() + microseconds / 1000;
  while (performance.now() < end && !isCancelled());
}
