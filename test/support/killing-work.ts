/** Job functions that are ended with their workers, or hear that they are to stop. */
import { isMainThread } from "node:worker_threads";
import type { Channel } from "heddle";
import { isCancelled, run, signal, spawn } from "heddle/job";

export function add(a: number, b: number): number {
  return a + b;
}
function begin(cells: Int32Array): void {
  if (isMainThread) throw new Error("on the main thread");
  Atomics.add(cells, 0, 1);
}
export function loop(cells: Int32Array): never {
  begin(cells);
  for (;;);
}
export async function loopLater(cells: Int32Array): Promise<void> {
  begin(cells);
  await null;
  for (;;);
}
export async function never(cells: Int32Array): Promise<void> {
  begin(cells);
  await new Promise(() => {});
}
/** Waits until it is told to end, and gives what it then hears. */
export function obedient(cells: Int32Array): string {
  begin(cells);
  while (!isCancelled());
  return "stopped";
}
export function sendAndLoop(begun: Channel<number>): never {
  begun.sendSync(1);
  for (;;);
}
/** The child may be ended with its worker by a signal of this thread. @returns how the child has ended */
export async function endChild(begun: Channel<number>): Promise<unknown[]> {
  const stop = new AbortController();
  const child = spawn(sendAndLoop, begun).with({ signal: stop.signal, kill: true, name: "child" });
  const outcome = child.then(undefined, (error: unknown) => error);
  // Runs no job meanwhile, so that another worker has to run that one.
  begun.receiveSync();
  stop.abort("of the parent");
  const { name, started, killed, cause } = (await outcome) as Error & { started: boolean; killed: boolean };
  return [name, started, killed, cause, await run(add, 1, 2)];
}
/** What a signal in the job says, synchronously or later. */
export function reasonAtOnce(cells: Int32Array): unknown[] {
  begin(cells);
  while (!isCancelled());
  return told(signal());
}
export async function reasonLater(cells: Int32Array): Promise<unknown[]> {
  const own = signal();
  begin(cells);
  await new Promise((resolve) => own.addEventListener("abort", resolve));
  return told(own);
}
function told({ reason }: AbortSignal): unknown[] {
  const error = reason as Error;
  const kind =
    reason instanceof DOMException ? "DOMException" : reason instanceof RangeError ? "RangeError" : typeof reason;
  return [kind, kind === "object" || !(reason instanceof Error) ? reason : error.name, error?.message];
}
