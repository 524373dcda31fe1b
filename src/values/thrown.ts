/**
 * What a job has thrown, made cloneable: an error with its name, message, stack and own properties, and whatever
 * errors are in these; what cannot be cloned becomes a description.
 *
 * Jobs throw anything: every look at it may throw, and errors may refer to each other in circles.
 */
import type { Cloner } from "./clone.js";
import { describe, isInstance } from "./describe.js";

/** Anything that was thrown, as it goes into a structured clone. */
export type Packed = PackedValue | PackedClone | PackedList | PackedError;

/** A primitive value. */
interface PackedValue {
  readonly kind: "value";
  readonly value: unknown;
}

/** Apart from the rest, so that the rest can be read where the stack is too small for this. */
interface PackedClone {
  readonly kind: "clone";
  readonly bytes: Uint8Array;
}

/** An array with errors in it. */
interface PackedList {
  readonly kind: "list";
  readonly parts: Packed[];
}

interface PackedError {
  readonly kind: "error";
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly properties: [name: string, value: Packed][];
}

/** Errors in errors, at most; deeper ones are described. */
const DEEPEST = 16;
/** Parts of an array that are looked at one by one. */
const MOST_PARTS = 1000;
const UNREADABLE = "(unreadable)";

/** Makes what was thrown cloneable. Throws nothing unless memory or stack is used up. */
export function pack(thrown: unknown, cloner: Cloner): Packed {
  return packPart(thrown, cloner, new Map(), 0);
}

/** Makes of it again what was thrown. */
export function unpack(packed: Packed, cloner: Cloner): unknown {
  return unpackPart(packed, cloner, new Map());
}

function packPart(value: unknown, cloner: Cloner, known: Map<unknown, Packed>, depth: number): Packed {
  const before = known.get(value);
  if (before !== undefined) return before;
  if (isInstance(value, Error)) {
    return depth > DEEPEST ? asValue(describe(value)) : packError(value, cloner, known, depth);
  }
  if (depth <= DEEPEST && isListWithErrors(value)) {
    const list: PackedList = { kind: "list", parts: [] };
    known.set(value, list);
    for (const part of value) list.parts.push(packPart(part, cloner, known, depth + 1));
    return list;
  }
  return packValue(value, cloner);
}

function packError(error: Error, cloner: Cloner, known: Map<unknown, Packed>, depth: number): PackedError {
  const packed: PackedError = {
    kind: "error",
    name: describe(guarded(() => error.name)),
    message: describe(guarded(() => error.message)),
    stack: guarded(() => (error.stack === undefined ? undefined : describe(error.stack))) as string | undefined,
    properties: [],
  };
  known.set(error, packed);
  for (const key of namesOf(error)) {
    if (key === "stack" || key === "message" || key === "name" || key === "__proto__") continue;
    const value = guarded(() => (error as unknown as Record<string, unknown>)[key]);
    packed.properties.push([key, packPart(value, cloner, known, depth + 1)]);
  }
  return packed;
}

function namesOf(error: Error): readonly string[] {
  try {
    return Object.getOwnPropertyNames(error);
  } catch {
    return [];
  }
}

function isListWithErrors(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value) && value.length <= MOST_PARTS && value.some((part) => isInstance(part, Error));
  } catch {
    return false;
  }
}

function asValue(value: unknown): PackedValue {
  return { kind: "value", value };
}

function packValue(value: unknown, cloner: Cloner): PackedValue | PackedClone {
  if (typeof value === "symbol" || typeof value === "function") return asValue(describe(value));
  if (typeof value !== "object" || value === null) return asValue(value);
  try {
    const bytes = cloner.serialize(value);
    cloner.deserialize(bytes);
    return { kind: "clone", bytes };
  } catch {
    return asValue(describe(value));
  }
}

function guarded(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return UNREADABLE;
  }
}

const ERRORS = new Map<string, new (message: string) => Error>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((type) => [type.name, type]),
);

function unpackPart(packed: Packed, cloner: Cloner, known: Map<Packed, unknown>): unknown {
  if (packed.kind === "value") return packed.value;
  if (packed.kind === "clone") return unpackClone(packed, cloner);
  const before = known.get(packed);
  if (before !== undefined) return before;
  if (packed.kind === "list") {
    const list: unknown[] = [];
    known.set(packed, list);
    for (const part of packed.parts) list.push(unpackPart(part, cloner, known));
    return list;
  }
  const error =
    packed.name === "AggregateError"
      ? new AggregateError([], packed.message)
      : new (ERRORS.get(packed.name) ?? Error)(packed.message);
  known.set(packed, error);
  if (error.name !== packed.name) define(error, "name", packed.name);
  define(error, "stack", packed.stack);
  for (const [key, value] of packed.properties) {
    define(error, key, unpackPart(value, cloner, known), key !== "cause" && key !== "errors");
  }
  return error;
}

function unpackClone(packed: PackedClone, cloner: Cloner): unknown {
  try {
    return cloner.deserialize(packed.bytes);
  } catch {
    return "(nested too deeply to be read on this thread)";
  }
}

function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}
