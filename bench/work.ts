/** The job functions of the benchmarks. */
import { run } from "heddle/job";

export function nothing(): void {}

export function touch(cells: Int32Array, index: number): void {
  Atomics.add(cells, index, 1);
}

export function fib(n: number): number {
  if (n < 2) return n;
  const a = run(fib, n - 1);
  const b = fib(n - 2);
  return a.wait() + b;
}

export function fail(): never {
  throw new Error("meant to fail");
}
