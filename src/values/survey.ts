/**
 * Looks through a value, before it is serialised, for what the serialiser would lose or take apart: host objects, and
 * buffers under several views. No getter is called.
 */
import { LARGEST_PAYLOAD } from "../memory/payloads.js";
import { types } from "../platform/host.js";
import { COPIED, HOST, natureOf } from "./natures.js";
import { TooLarge } from "./room.js";
import { bufferOf, byteLengthOf } from "./views.js";

/** Objects of a value, and objects in each other, that `isPlain` looks at: if there are more, the value may be cyclic. */
const MOST_OBJECTS = 1000;
const DEEPEST = 32;

/** Objects that may still be looked at. */
let left = 0;
/** Whether there was a buffer or a view on one. */
let anyBuffer = false;

/**
 * Whether a value has nothing in it to look for. It says no where it cannot tell quickly, and may throw what a proxy
 * throws.
 */
export function isPlain(value: object): boolean {
  // A list of records has no more objects than this, unless they are large.
  left = MOST_OBJECTS + (Array.isArray(value) ? 8 * value.length : 0);
  anyBuffer = false;
  return isPlainTree(value, 0);
}

function isPlainPart(part: unknown, depth: number): boolean {
  return typeof part !== "object" || part === null || isPlainTree(part, depth + 1);
}

function isPlainTree(value: object, depth: number): boolean {
  if (depth > DEEPEST || --left < 0) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  if (Array.isArray(value)) return isPlainArray(value, depth);
  if (prototype !== Object.prototype) {
    if (prototype === Date.prototype) return true;
    if (natureOf(prototype) !== COPIED) return isPlainBuiltIn(value, prototype, depth);
  }
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

function isPlainArray(value: readonly unknown[], depth: number): boolean {
  for (let k = 0; k < value.length; k++) {
    const part = value[k];
    if (typeof part === "object" && part !== null) {
      if (!isPlainTree(part, depth + 1)) return false;
    } else if (part === undefined && !(k in value)) return false;
  }
  return true;
}

function isPlainBuiltIn(value: object, prototype: object | null, depth: number): boolean {
  if (prototype === RegExp.prototype) return true;
  let plain = true;
  if (prototype === Map.prototype) {
    Map.prototype.forEach.call(value, (part, key) => {
      plain &&= isPlainPart(part, depth) && isPlainPart(key, depth);
    });
  } else if (prototype === Set.prototype) {
    Set.prototype.forEach.call(value, (part) => {
      plain &&= isPlainPart(part, depth);
    });
  } else {
    // A second one may be on the same buffer.
    plain = ArrayBuffer.isView(value) && !anyBuffer && byteLengthOf(value) <= LARGEST_PAYLOAD;
    anyBuffer = true;
  }
  return plain;
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
  /** For each buffer, how many bytes of it a copy takes. */
  const buffers = new Map<object, number>();
  const repeated = new Set<object>();
  const seen = new Set<object>();
  const ahead: object[] = [value];
  let odd = false;
  while (ahead.length > 0) {
    const at = ahead.pop();
    if (at === undefined || seen.has(at)) continue;
    seen.add(at);
    try {
      const nature = natureOf(Object.getPrototypeOf(at));
      if (Array.isArray(at)) addElements(at, ahead);
      else if (nature === HOST) odd = true;
      else if (nature === COPIED) odd = addProperties(at, Object.keys(at), ahead) || odd;
      else if (ArrayBuffer.isView(at) || types.isAnyArrayBuffer(at)) {
        const buffer = ArrayBuffer.isView(at) ? bufferOf(at) : at;
        const again = buffers.has(buffer);
        if (again) repeated.add(buffer);
        const bytes = again ? buffer.byteLength : byteLengthOf(at);
        buffers.set(buffer, types.isSharedArrayBuffer(buffer) ? 0 : bytes);
      } else odd = addBuiltIn(at, ahead) || odd;
    } catch {
      // A proxy, which the serialiser refuses.
    }
  }
  let bytes = 0;
  for (const each of buffers.values()) bytes += each;
  if (bytes > LARGEST_PAYLOAD) throw new TooLarge(bytes);
  return { repeated, odd };
}

function addElements(value: readonly unknown[], ahead: object[]): void {
  for (let k = 0; k < value.length; k++) {
    const part = value[k];
    addPart(part, ahead);
    if (part === undefined && !(k in value)) {
      addProperties(value, Object.keys(value), ahead);
      return;
    }
  }
}

function addPart(part: unknown, ahead: object[]): void {
  if (typeof part === "object" && part !== null) ahead.push(part);
}

/** Adds what the serialiser would go on to. @returns whether some of it comes from getters */
function addBuiltIn(value: object, ahead: object[]): boolean {
  if (types.isMap(value)) {
    Map.prototype.forEach.call(value, (part, key) => {
      addPart(key, ahead);
      addPart(part, ahead);
    });
  } else if (types.isSet(value)) Set.prototype.forEach.call(value, (part) => addPart(part, ahead));
  else if (types.isNativeError(value)) return addProperties(value, ["cause"], ahead);
  else if (!isAtomic(value)) return addProperties(value, Object.keys(value), ahead);
  return false;
}

/** Whether the serialiser looks at none of its properties. */
export function isAtomic(value: object): boolean {
  return types.isDate(value) || types.isRegExp(value) || types.isBoxedPrimitive(value);
}

function addProperties(value: object, keys: readonly string[], ahead: object[]): boolean {
  let anyGetter = false;
  for (const key of keys) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property?.get !== undefined) anyGetter = true;
    addPart(property?.value, ahead);
  }
  return anyGetter;
}
