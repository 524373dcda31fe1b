/**
 * What the runtime makes of the objects of a class. The serialiser of `node:v8` copies the own properties of any object; of
 * one that keeps its state elsewhere, as a `URL` or a `Blob` does, nothing would be left. Such host objects are told from
 * others here, once for each prototype, whatever realm an object is from.
 */
import { isInstance, isTooDeep } from "./describe.js";

/** Its own properties are copied, as those of a plain object: also an instance of a class of the user's. */
export const COPIED = 1;
/** It extends a class of the language: the serialiser has a way of its own for it, or an error. */
export const OF_LANGUAGE = 2;
/** It extends a class of the runtime. */
export const HOST = 3;

const natures = new WeakMap<object, number>();

/** The nature of the objects that have this prototype. */
export function natureOf(prototype: object | null): number {
  if (prototype === null) return COPIED;
  let nature = natures.get(prototype);
  if (nature === undefined) {
    nature = lookUp(prototype).nature;
    natures.set(prototype, nature);
  }
  return nature;
}

/** Looks for the class that decides the nature of the objects with this prototype, and what it is called. */
export function lookUp(prototype: object | null): { nature: number; name: string } {
  try {
    for (let at = prototype; at !== null; at = Object.getPrototypeOf(at)) {
      const made = classAt(at);
      const nature = Object.getOwnPropertySymbols(at).some(isForMessages) ? HOST : natureMadeBy(made);
      if (nature !== COPIED) return { nature, name: made?.name ?? "" };
    }
  } catch (error) {
    if (isTooDeep(error)) throw error;
    // A proxy that does not let itself be looked at.
  }
  return { nature: COPIED, name: "" };
}

/** How Node and Deno mark the classes whose objects a message port can carry. */
const MARKS = new Set(["messaging_clone_symbol", "messaging_transfer_symbol", "Deno.core.hostObject"]);

function isForMessages({ description = "" }: symbol): boolean {
  return MARKS.has(description);
}

type Class = abstract new () => unknown;

/** The class whose instances have this prototype. */
function classAt(prototype: object): Class | undefined {
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof made === "function" && made.prototype === prototype ? (made as unknown as Class) : undefined;
}

/** The classes of the language, of this realm or another one: by their names, as classes of some runtimes are native and global, too. */
const LANGUAGE = new Set(
  (
    "Object Function Array Number Boolean String Symbol BigInt Date RegExp Promise Map Set WeakMap WeakSet WeakRef " +
    "FinalizationRegistry Iterator ArrayBuffer SharedArrayBuffer DataView DisposableStack AsyncDisposableStack " +
    "Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array BigInt64Array BigUint64Array " +
    "Float16Array Float32Array Float64Array " +
    "Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError"
  ).split(" "),
);

function natureMadeBy(made: Class | undefined): number {
  if (made === undefined) return COPIED;
  const { name } = made;
  const global = Object.getOwnPropertyDescriptor(globalThis, name);
  if (!isNative(made)) {
    // What users make global by an assignment is enumerable.
    const isOfRuntime = global !== undefined && !global.enumerable && valueBehind(global) === made;
    return isOfRuntime ? HOST : COPIED;
  }
  if (!LANGUAGE.has(name)) return HOST;
  return name === "Object" ? COPIED : OF_LANGUAGE;
}

/** Whether a function is the runtime's own. */
export function isNative(made: object): boolean {
  return /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(made));
}

/** Node makes some of its globals only when somebody asks. */
function valueBehind(property: PropertyDescriptor): unknown {
  return property.get === undefined ? property.value : property.get.call(globalThis);
}

const nameGetter = Object.getOwnPropertyDescriptor(DOMException.prototype, "name")?.get;

/** Whether it is a DOMException, and of no class of the runtime that extends that. */
export function isDOMException(value: object): value is DOMException {
  try {
    if (!isInstance(value, DOMException) || lookUp(Object.getPrototypeOf(value)).name !== "DOMException") return false;
    // Throws for what only looks like one.
    return nameGetter?.call(value) !== undefined;
  } catch {
    return false;
  }
}

/** A DOMException as it was: its `code` goes with its name. */
export function exceptionOf(name: string, message: string, stack: unknown): DOMException {
  const exception = new DOMException(message, name);
  Object.defineProperty(exception, "stack", { value: stack, configurable: true, writable: true, enumerable: false });
  return exception;
}

/** The name of the class of the runtime that an object is of; else of its own class. */
function classNameOf(object: object): string {
  const { nature, name } = lookUp(Object.getPrototypeOf(object));
  if (nature === HOST) return name;
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const own = classAt(at);
    if (own !== undefined) return own.name;
  }
  return "Object";
}

/** What to call a host object in a message. */
export function hostName(object: object): string {
  const tag = Object.prototype.toString.call(object).slice(8, -1);
  if (tag.includes(".")) return tag;
  return classAt(Object.getPrototypeOf(object))?.name || classNameOf(object) || tag;
}

/** Those of which that is known. */
const carried = new WeakSet<object>();

/** Whether an object is of one of Deno's modules: a thread can take it from a port only where it has loaded that module. */
function needsModule(object: object): boolean {
  for (let at = Object.getPrototypeOf(object); at !== null; at = Object.getPrototypeOf(at)) {
    const isMarked = Object.getOwnPropertySymbols(at).some(({ description }) => description === "Deno.core.hostObject");
    if (isMarked) return natureMadeBy(classAt(at)) === COPIED;
  }
  return false;
}

/** Whether a message port carries a host object as what it is. */
export function isCarried(object: object): boolean {
  if (carried.has(object)) return true;
  try {
    if (needsModule(object)) return false;
    const copy: object = structuredClone(object);
    // The runtime makes a plain object of what it does not know.
    if (classNameOf(copy) === "Object" || classNameOf(copy) !== classNameOf(object)) return false;
  } catch {
    return false;
  }
  carried.add(object);
  return true;
}

const INSTEAD: Record<string, string> = {
  Blob: "await blob.arrayBuffer()",
  File: "its name and await file.arrayBuffer()",
  URL: "its href",
  URLSearchParams: "String(parameters)",
  Headers: "[...headers]",
  FormData: "[...formData]",
  Request: "its url, method, [...headers] and await request.arrayBuffer()",
  Response: "its status, [...headers] and await response.arrayBuffer()",
  SecretKeyObject: "key.export()",
  PublicKeyObject: "key.export()",
  PrivateKeyObject: "key.export()",
  CryptoKey: "await crypto.subtle.exportKey(format, key)",
  X509Certificate: "certificate.raw",
  "WebAssembly.Memory": "one that is shared, or a typed array of what it holds",
  "WebAssembly.Module": "the bytes that it is compiled from",
  "WebAssembly.Instance": "its module",
  AbortSignal: "whether it is aborted, or give the job a signal with job.with({ signal })",
  AbortController: "whether its signal is aborted, or give the job a signal with job.with({ signal })",
};

/** Why a host object is not sent, and what to send instead. */
export function reasonAgainstHost(object: object): string {
  const name = hostName(object);
  const instead = INSTEAD[name] ?? "what it holds, as plain values";
  return `${/^([AEIO]|X5)/.test(name) ? "an" : "a"} ${name}, whose content a copy would lose; pass ${instead}`;
}
