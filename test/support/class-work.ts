import { createSecretKey, KeyObject } from "node:crypto";
import { runInNewContext } from "node:vm";

/** Job functions for values of all the runtime's classes. */
export function echo<T>(value: T): T {
  return value;
}
/** Whether a key arrives as what it is. */
export function bytesOfKey(key: KeyObject): number {
  return key instanceof KeyObject ? key.export().length : -1;
}
export function makeKey(bytes: Uint8Array): { key: KeyObject } {
  return { key: createSecretKey(bytes) };
}
export function makeUrl(): { url: URL } {
  return { url: new URL("http://localhost/") };
}
export async function textOf({ blob }: { blob: Blob }): Promise<string> {
  return await blob.text();
}
/** Instances of a module run on the thread that got it. */
export function answerOf(module: WebAssembly.Module): number {
  const { answer } = new WebAssembly.Instance(module).exports;
  return (answer as () => number)();
}
export function answerIn({ modules }: { modules: readonly WebAssembly.Module[] }): number {
  return answerOf(modules[0]);
}
/** Writes 7 into the first element of each. */
export function write(...views: readonly { [index: number]: number }[]): void {
  for (const view of views) view[0] = 7;
}
export function writeInto({ memory }: { memory: WebAssembly.Memory }): void {
  new Uint8Array(memory.buffer)[0] = 7;
}
/** The length of a view before and after its buffer has grown. */
export function lengthsOf(view: Uint8Array, bytes: number): [number, number] {
  const before = view.length;
  const { buffer } = view;
  if (buffer instanceof SharedArrayBuffer) buffer.grow(bytes);
  else (buffer as ArrayBuffer).resize(bytes);
  return [before, view.length];
}
export function throwException(): never {
  throw new DOMException("told to stop", "AbortError");
}
export function throwOfOtherRealm(): never {
  throw runInNewContext(
    `Object.assign(new RangeError("from elsewhere"), { code: "E_ELSEWHERE", cause: new TypeError("its cause") })`,
  );
}
export function throwInParts(): never {
  const detail = { kept: [1, { two: 2 }], lost() {}, list: [new Error("in it"), () => {}], map: new Map([["a", 1n]]) };
  throw Object.assign(new Error("with a detail"), { detail });
}
