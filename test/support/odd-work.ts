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
