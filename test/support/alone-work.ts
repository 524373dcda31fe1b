/** Job functions for systems without threads. */
import type { Channel, WaitGroup } from "heddle";
import { run, signal } from "heddle/job";

export async function later(milliseconds: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return milliseconds;
}
export async function awaits(count: number): Promise<number> {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += await run(later, 2);
  return sum;
}
export function waitsForLater(): number {
  return run(later, 5).wait();
}
export async function untilAborted(): Promise<string> {
  const stop = signal();
  while (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
  return "stopped";
}
export function receives(channel: Channel<number>): number | undefined {
  return channel.receiveSync().value;
}
export async function never(): Promise<void> {
  await new Promise(() => {});
}
export function sum(list: readonly number[], text: string): number {
  return list.reduce((a, b) => a + b, text.length);
}
export function done(waitGroup: WaitGroup): void {
  waitGroup.done();
}
/** Waits for a wait group that so many jobs bring down. */
export function waitsForGroup(waitGroup: WaitGroup, jobs: number): string {
  for (let k = 0; k < jobs; k++) run(done, waitGroup);
  waitGroup.waitSync();
  return "done";
}
