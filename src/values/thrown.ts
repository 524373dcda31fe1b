/**
 * What a job has thrown, made cloneable: an error with its name, message, stack and own properties, and whatever
 * errors are in these; of what cannot be cloned, only that part becomes a description.
 *
 * Jobs throw anything: every look at it may throw, and errors may refer to each other in circles. An error that goes from
 * job to job gains a cause with each; so texts, parts and causes are kept up to a limit, from both ends.
 */
import { types } from "../platform/host.js";
import { describe, isError, isTooDeep, shortened } from "./describe.js";
import { exceptionOf, isDOMException } from "./natures.js";
import type { Serializer } from "./serializer.js";
import { withoutStacks } from "./without-stacks.js";

/** Anything that was thrown, as it goes into a structured clone. */
export type Packed = PackedValue | PackedClone | PackedParts | PackedError;

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

/** An array, a set, a map (each key followed by its value) or an object (the same) with errors in it, or what cannot be cloned. */
interface PackedParts {
  readonly kind: "list" | "set" | "map" | "object";
  readonly parts: Packed[];
}

interface PackedError {
  readonly kind: "error";
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** It is a DOMException. */
  readonly dom?: boolean;
  /** `hidden`: it is not enumerable, as what some runtimes note of the place. */
  readonly properties: [name: string, value: Packed, hidden?: true][];
}

/** Errors in errors, at most; deeper ones are described. */
const DEEPEST = 16;
/** Of a longer chain of causes, the last ones that are kept: the first failure, and the jobs that it came through. */
const INNERMOST = 4;
/** Causes that are counted. */
const LONGEST_CHAIN = 100_000;
/** Parts of a list and the like, and errors in all. */
const MOST_PARTS = 1000;
/** Characters of one text, and characters and bytes of all that was thrown. */
const MOST_TEXT = 2 ** 14;
const LEAST_TEXT = 2 ** 8;
const MOST_BYTES = 2 ** 20;
const UNREADABLE = "(unreadable)";

/** Makes what was thrown cloneable. Throws nothing unless memory or stack is used up. */
export function pack(thrown: unknown, cloner: Serializer): Packed {
  return new Packing(cloner).part(thrown, 0);
}

/** Makes of it again what was thrown. */
export function unpack(packed: Packed, cloner: Serializer): unknown {
  return withoutStacks(() => unpackPart(packed, cloner, new Map()));
}

/** Causes that are left out after an error. */
interface Gap {
  readonly count: number;
  /** The cause after them. */
  readonly next: Error;
}

class Packing {
  readonly #cloner: Serializer;
  readonly #known = new Map<unknown, Packed>();
  /** By the error before each. */
  readonly #gaps = new Map<Error, Gap>();
  #errors = MOST_PARTS;
  #bytes = MOST_BYTES;

  constructor(cloner: Serializer) {
    this.#cloner = cloner;
  }

  /** @param isCause whether its own causes were counted already */
  part(value: unknown, depth: number, isCause = false): Packed {
    const before = this.#known.get(value);
    if (before !== undefined) return before;
    if (isError(value)) {
      if (depth > DEEPEST || this.#errors-- <= 0) return this.#description(value);
      if (!isCause) this.#findGap(value, depth);
      return this.#error(value, depth);
    }
    if (depth <= DEEPEST && isListWithErrors(value)) return this.#parts("list", value, value, value.length, depth);
    return this.#value(value, depth);
  }

  #error(error: Error, depth: number): PackedError {
    const packed: PackedError = {
      kind: "error",
      name: this.#text(describe(guarded(() => error.name))),
      message: this.#text(describe(guarded(() => error.message))),
      stack: guarded(() => (error.stack === undefined ? undefined : this.#text(describe(error.stack)))) as
        | string
        | undefined,
      ...(isDOMException(error) && { dom: true }),
      properties: [],
    };
    this.#known.set(error, packed);
    const names = namesOf(error);
    for (const key of names.slice(0, MOST_PARTS)) {
      if (key === "stack" || key === "message" || key === "name" || key === "__proto__") continue;
      const gap = key === "cause" ? this.#gaps.get(error) : undefined;
      const value =
        gap === undefined
          ? this.part(
              guarded(() => (error as unknown as Record<string, unknown>)[key]),
              depth + 1,
              key === "cause",
            )
          : this.#gap(gap, depth + 1);
      packed.properties.push(isHidden(error, key) ? [this.#text(key), value, true] : [this.#text(key), value]);
    }
    return packed;
  }

  /** Decides which causes are left out, if there are too many. */
  #findGap(error: Error, depth: number): void {
    const room = DEEPEST + 1 - depth;
    const chain = chainOf(error);
    const outermost = room - INNERMOST - 1;
    if (chain.length <= room || outermost < 1) return;
    let count = 0;
    for (const each of chain.slice(outermost, -INNERMOST)) count += leftOutIn(each) ?? 1;
    this.#gaps.set(chain[outermost - 1], { count, next: chain[chain.length - INNERMOST] });
  }

  #gap({ count, next }: Gap, depth: number): PackedError {
    return {
      kind: "error",
      name: "Error",
      message: leftOutMessage(count),
      stack: undefined,
      properties: [
        ["leftOut", asValue(count)],
        ["cause", this.part(next, depth + 1, true)],
      ],
    };
  }

  #value(value: unknown, depth: number): Packed {
    if (typeof value === "string") return asValue(this.#text(value));
    if (typeof value === "symbol" || typeof value === "function") return this.#description(value);
    if (typeof value !== "object" || value === null) return asValue(value);
    let bytes: Uint8Array;
    try {
      bytes = this.#cloner.serialize(value);
      // It may be too deep.
      if (bytes.length <= this.#bytes) this.#cloner.deserialize(bytes);
    } catch {
      return this.#inParts(value, depth);
    }
    if (bytes.length > this.#bytes) return asValue(`(left out: it takes ${bytes.length} bytes)`);
    this.#bytes -= bytes.length;
    return { kind: "clone", bytes };
  }

  /** A value that cannot be cloned as a whole. */
  #inParts(value: object, depth: number): Packed {
    try {
      if (depth > DEEPEST || types.isProxy(value)) return this.#description(value);
      if (Array.isArray(value)) return this.#parts("list", value, value, value.length, depth);
      if (types.isSet(value)) return this.#parts("set", value, Set.prototype.values.call(value), value.size, depth);
      if (types.isMap(value)) return this.#pairs("map", value, [...Map.prototype.entries.call(value)], depth);
      const tag = Object.prototype.toString.call(value);
      const keys = Object.keys(value);
      if (tag !== "[object Object]" || keys.length === 0) return this.#description(value);
      const read = (key: string) => guarded(() => (value as Record<string, unknown>)[key]);
      return this.#pairs(
        "object",
        value,
        keys.slice(0, MOST_PARTS).map((key) => [key, read(key)]),
        depth,
      );
    } catch {
      return this.#description(value);
    }
  }

  #parts(kind: "list" | "set", whole: object, parts: Iterable<unknown>, count: number, depth: number): PackedParts {
    const packed: PackedParts = { kind, parts: [] };
    this.#known.set(whole, packed);
    for (const part of parts) {
      if (packed.parts.length === MOST_PARTS) {
        packed.parts.push(asValue(`(${count - MOST_PARTS} more were left out)`));
        break;
      }
      packed.parts.push(this.part(part, depth + 1));
    }
    return packed;
  }

  #pairs(kind: "map" | "object", whole: object, pairs: readonly [unknown, unknown][], depth: number): PackedParts {
    const packed: PackedParts = { kind, parts: [] };
    this.#known.set(whole, packed);
    for (const [key, value] of pairs.slice(0, MOST_PARTS)) {
      packed.parts.push(this.part(key, depth + 1), this.part(value, depth + 1));
    }
    return packed;
  }

  #description(value: unknown): PackedValue {
    return asValue(this.#text(describe(value)));
  }

  #text(text: string): string {
    const short = shortened(text, Math.min(MOST_TEXT, Math.max(LEAST_TEXT, this.#bytes)));
    this.#bytes -= short.length;
    return short;
  }
}

/** An error and its causes, as far as these are errors. */
function chainOf(error: Error): Error[] {
  const chain = new Set<Error>();
  let at: unknown = error;
  while (isError(at) && !chain.has(at) && chain.size < LONGEST_CHAIN) {
    chain.add(at);
    const { cause } = guarded(() => ({ cause: (at as Error).cause })) as { cause?: unknown };
    at = cause;
  }
  return [...chain];
}

function leftOutMessage(count: number): string {
  return `(${count} causes between were left out)`;
}

/** How many causes an error stands for that were left out before, if it is such. */
function leftOutIn(error: Error): number | undefined {
  return guarded(() => {
    const { leftOut, message } = error as Error & { leftOut?: unknown };
    return typeof leftOut === "number" && message === leftOutMessage(leftOut) ? leftOut : undefined;
  }) as number | undefined;
}

function namesOf(error: Error): readonly string[] {
  try {
    return Object.getOwnPropertyNames(error);
  } catch {
    return [];
  }
}

function isHidden(error: Error, key: string): boolean {
  return guarded(() => Object.getOwnPropertyDescriptor(error, key)?.enumerable === false) === true;
}

function isListWithErrors(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value) && value.some((part) => isError(part));
  } catch {
    return false;
  }
}

function asValue(value: unknown): PackedValue {
  return { kind: "value", value };
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

function unpackPart(packed: Packed, cloner: Serializer, known: Map<Packed, unknown>): unknown {
  if (packed.kind === "value") return packed.value;
  if (packed.kind === "clone") return unpackClone(packed, cloner);
  const before = known.get(packed);
  if (before !== undefined) return before;
  if (packed.kind === "error") {
    const error = emptyError(packed);
    known.set(packed, error);
    for (const [key, value, hidden] of packed.properties) {
      define(error, key, unpackPart(value, cloner, known), !hidden && key !== "cause" && key !== "errors");
    }
    return error;
  }
  const whole = { list: [], set: new Set(), map: new Map(), object: {} }[packed.kind];
  // First, as parts may refer to it.
  known.set(packed, whole);
  const parts = packed.parts.map((part) => unpackPart(part, cloner, known));
  if (Array.isArray(whole)) for (const part of parts) (whole as unknown[]).push(part);
  else if (whole instanceof Set) for (const part of parts) whole.add(part);
  else {
    for (let k = 0; k < parts.length; k += 2) {
      if (whole instanceof Map) whole.set(parts[k], parts[k + 1]);
      else define(whole, parts[k] as string, parts[k + 1], true);
    }
  }
  return whole;
}

function emptyError({ name, message, stack, dom }: PackedError): Error {
  if (dom) return exceptionOf(name, message, stack);
  const error = name === "AggregateError" ? new AggregateError([], message) : new (ERRORS.get(name) ?? Error)(message);
  if (error.name !== name) define(error, "name", name);
  define(error, "stack", stack);
  return error;
}

function unpackClone(packed: PackedClone, cloner: Serializer): unknown {
  try {
    return cloner.deserialize(packed.bytes);
  } catch (error) {
    if (isTooDeep(error)) return "(nested too deeply to be read on this thread)";
    return `(not readable here: ${describe((error as Error).message)})`;
  }
}

function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, enumerable, configurable: true, writable: true });
}
