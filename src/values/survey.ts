/**
 * Looks through a value, before it is serialised, for what the serialiser would lose or take apart: host objects, and
 * buffers under several views. No getter is called.
 */
import { types } from "node:util";
import { LARGEST_PAYLOAD } from "../memory/payloads.js";
import { bufferOf, byteLengthOf } from "./boxes.js";
import { COPIED, HOST, natureOf } from "./natures.js";
import { TooLarge } from "./room.js";

/** Objects of a value, and objects in each other, that `isPlain` looks at: beyond, the value may be cyclic. */
const MOST_OBJECTS = 1000;
const DEEPEST = 32;

let left = 0;

/** Whether a value is all of plain objects and arrays, with nothing to look for. It may say no where it is. */
export function isPlain(value: object): boolean {
  // A list of records has no more objects than this, unless they are large.
  left = MOST_OBJECTS + (Array.isArray(value) ? 8 * value.length : 0);
  return isPlainTree(value, 0);
}

function isPlainTree(value: object, depth: number): boolean {
  if (depth > DEEPEST || --left < 0) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    if (prototype !== Array.prototype) return false;
    for (let k = 0; k < value.length; k++) {
      const part: unknown = value[k];
      if (typeof part === "object" && part !== null) {
        if (!isPlainTree(part, depth + 1)) return false;
      } else if (part === undefined && !(k in value)) return false;
    }
    return true;
  }
  if (prototype !== Object.prototype && natureOf(prototype) !== COPIED) return false;
  for (const key in value) {
    // Reading it might call a getter.
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property === undefined) continue;
    const part: unknown = property.value;
    if (typeof part === "object" && part !== null) {
      if (!isPlainTree(part, depth + 1)) return false;
    } else if (part === undefined && property.get !== undefined) return false;
  }
  return true;
}

/** What `survey` has found. */
export interface Findings {
  /** Buffers that the value holds more than once, as themselves or under views. */
  readonly repeated: ReadonlySet<object>;
  /** There are host objects, or getters that may give some. */
  readonly odd: boolean;
}

/** @throws TooLarge when the buffers in the value have more bytes than can be stored */
export function survey(value: object): Findings {
  /** For each buffer, how many of its bytes are to be copied. */
  const buffers = new Map<object, number>();
  const repeated = new Set<object>();
  const seen = new Set<object>();
  const ahead: unknown[] = [value];
  let odd = false;
  while (ahead.length > 0) {
    const at = ahead.pop();
    if (typeof at !== "object" || at === null || seen.has(at)) continue;
    seen.add(at);
    if (ArrayBuffer.isView(at) || types.isAnyArrayBuffer(at)) {
      const buffer = ArrayBuffer.isView(at) ? bufferOf(at) : at;
      const again = buffers.has(buffer);
      if (again) repeated.add(buffer);
      const bytes = again ? buffer.byteLength : byteLengthOf(at);
      buffers.set(buffer, types.isSharedArrayBuffer(buffer) ? 0 : bytes);
    } else if (natureOf(prototypeOf(at)) === HOST) odd = true;
    else if (addParts(at, ahead)) odd = true;
  }
  const bytes = [...buffers.values()].reduce((sum, each) => sum + each, 0);
  if (bytes > LARGEST_PAYLOAD) throw new TooLarge(bytes);
  return { repeated, odd };
}

/** The serialiser refuses proxies, so that they are not looked at. */
function prototypeOf(value: object): object | null {
  return types.isProxy(value) ? null : Object.getPrototypeOf(value);
}

/** Adds what the serialiser would go on to. @returns whether some of it comes from getters */
function addParts(value: object, ahead: unknown[]): boolean {
  if (types.isProxy(value)) return false;
  if (Array.isArray(value)) {
    for (let k = 0; k < value.length; k++) {
      const part: unknown = value[k];
      if (part === undefined && !(k in value)) return addProperties(value, Object.keys(value), ahead);
      ahead.push(part);
    }
    return false;
  }
  if (types.isMap(value)) {
    Map.prototype.forEach.call(value, (part, key) => ahead.push(key, part));
    return false;
  }
  if (types.isSet(value)) {
    Set.prototype.forEach.call(value, (part) => ahead.push(part));
    return false;
  }
  if (types.isNativeError(value)) return addProperties(value, ["cause"], ahead);
  if (isAtomic(value)) return false;
  return addProperties(value, Object.keys(value), ahead);
}

/** Whether the serialiser looks at none of its properties. */
export function isAtomic(value: object): boolean {
  return types.isDate(value) || types.isRegExp(value) || types.isBoxedPrimitive(value);
}

function addProperties(value: object, keys: readonly string[], ahead: unknown[]): boolean {
  let anyGetter = false;
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property?.get !== undefined) anyGetter = true;
    ahead.push(property?.value);
  }
  return anyGetter;
}
