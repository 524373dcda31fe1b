/** Job functions that print, and that last until they are told to end. */
import { threadId } from "node:worker_threads";

/** How many lines this thread has printed. */
let printed = 0;

/** Prints so many lines that say which thread prints them, and how many it has printed before. */
export function print(lines: number): void {
  for (let k = 0; k < lines; k++) console.log(`${threadId} ${printed++}`);
}

/** As `print`, then keeps its thread busy until the cell is set. */
export function printAndHold(lines: number, cells: Int32Array): void {
  print(lines);
  while (Atomics.load(cells, 0) === 0);
}

export async function printLater(lines: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5));
  print(lines);
}

export function forever(): void {
  for (;;);
}

export async function foreverLater(): Promise<void> {
  for (;;) await new Promise((resolve) => setTimeout(resolve, 1));
}
