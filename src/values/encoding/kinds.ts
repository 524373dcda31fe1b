/** What an object is, whatever its prototype says, with nothing but the language (the runtime says the rest). */

import { types } from "../../platform/host.js";
import { isTooDeep } from "../describe.js";
import { HOST, isNative, lookUp, OF_LANGUAGE } from "../natures.js";

/** Its own properties are all that there is to it. */
export const PLAIN = 0;
export const ARRAY = 1;
export const ARRAY_VIEW = 2;
export const ERROR = 3;
export const MAP = 4;
export const SET = 5;
export const DATE = 6;
export const REGEXP = 7;
export const BOXED = 8;
export const ARRAY_BUFFER = 9;
/** Of a class of the runtime. */
export const OF_HOST = 10;
/** It cannot be taken apart. */
export const CLOSED = 11;

type Brand = readonly [kind: number, read: ((this: never) => unknown) | undefined];

/** For each class of the language, what only its true instances allow to be read. */
const BRANDS = new Map<string, Brand>([
  ["Map", [MAP, getterOf(Map.prototype, "size")]],
  ["Set", [SET, getterOf(Set.prototype, "size")]],
  ["Date", [DATE, Date.prototype.getTime]],
  ["RegExp", [REGEXP, getterOf(RegExp.prototype, "global")]],
  ["Boolean", [BOXED, Boolean.prototype.valueOf]],
  ["Number", [BOXED, Number.prototype.valueOf]],
  ["String", [BOXED, String.prototype.valueOf]],
  ["BigInt", [BOXED, BigInt.prototype.valueOf]],
  ["ArrayBuffer", [ARRAY_BUFFER, getterOf(ArrayBuffer.prototype, "byteLength")]],
  // In a browser it may be missing.
  ["SharedArrayBuffer", [CLOSED, getterOf(globalThis.SharedArrayBuffer?.prototype, "byteLength")]],
]);

/** Classes whose true instances are told without their names. */
const TOLD = /^(Array|DataView|.*Array|.*Error)$/;

/** The kind of the objects with a prototype: PLAIN, OF_HOST, CLOSED, or the name of a class of the language. */
const known = new WeakMap<object, number | string>();

export function kindOf(value: object): number {
  if (types.isProxy(value)) return CLOSED;
  if (Array.isArray(value)) return ARRAY;
  if (ArrayBuffer.isView(value)) return ARRAY_VIEW;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const kind = kindBy(prototype);
    if (typeof kind === "string") return kindOfLanguage(value, kind);
    if (kind !== PLAIN) return kind;
  }
  const tag: string = Object.prototype.toString.call(value);
  return tag === "[object Object]" ? PLAIN : kindTagged(value, tag.slice(8, -1));
}

/** Of an object whose prototype is not that of its class, or that names itself. */
function kindTagged(value: object, tag: string): number {
  if (types.isNativeError(value)) return ERROR;
  if (tag === "Arguments") return CLOSED;
  // The namespace of a module, not what a bundler makes look like one.
  if (tag === "Module") return Object.isExtensible(value) ? PLAIN : CLOSED;
  return branded(value, tag) ?? PLAIN;
}

function kindOfLanguage(value: object, name: string): number {
  if (types.isNativeError(value)) return ERROR;
  const kind = branded(value, name);
  if (kind !== undefined) return kind;
  // Only the prototype is of that class, or it is one whose instances show nothing.
  return BRANDS.has(name) || TOLD.test(name) ? PLAIN : CLOSED;
}

function branded(value: object, name: string): number | undefined {
  const [kind, read] = BRANDS.get(name) ?? [];
  try {
    // Of the prototype itself an expression's getters read undefined.
    return read?.call(value as never) === undefined ? undefined : kind;
  } catch (error) {
    if (isTooDeep(error)) throw error;
    return undefined;
  }
}

/** Whether memory is shared between threads. */
export function isShared(buffer: ArrayBufferLike): buffer is SharedArrayBuffer {
  return branded(buffer, "ArrayBuffer") === undefined;
}

function kindBy(prototype: object): number | string {
  let kind = known.get(prototype);
  if (kind === undefined) {
    const { nature, name } = lookUp(prototype);
    kind = nature === HOST ? OF_HOST : nature === OF_LANGUAGE ? name : isIterator(prototype) ? CLOSED : PLAIN;
    known.set(prototype, kind);
  }
  return kind;
}

/** Whether objects with this prototype are iterators or generators of the language. */
function isIterator(prototype: object): boolean {
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const next: unknown = Object.getOwnPropertyDescriptor(at, "next")?.value;
    if (typeof next === "function" && isNative(next)) return true;
  }
  return false;
}

function getterOf(prototype: object | undefined, name: string): (() => unknown) | undefined {
  return prototype && Object.getOwnPropertyDescriptor(prototype, name)?.get;
}
