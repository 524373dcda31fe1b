/**
 * Failures in shared memory: what a job threw, with its name, message, stack and own properties, the
 * name of the job function, and whether the job itself failed or something before it.
 */
import type { Payloads } from "../memory/payloads.js";
import type { Cloner } from "./clone.js";

/** Why a job failed. */
export type Failure =
  | { kind: "threw"; job: string; error: unknown }
  | { kind: "dependency"; job: string; first: Failure }
  | { kind: "shutdown"; job: string }
  | { kind: "lost"; job: string };

/** In place of a payload's address: the failure's details did not fit into shared memory. */
export const DETAILS_LOST = 1;

const MARK = "heddle:error";

interface ErrorRecord {
  readonly mark: typeof MARK;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly properties: Record<string, unknown>;
}

/** Stores a failure. @returns its payload, or DETAILS_LOST */
export function storeFailure(payloads: Payloads, cloner: Cloner, failure: Failure): number {
  return payloads.store(failureToBytes(cloner, failure)) || DETAILS_LOST;
}

/** A failure as bytes. */
export function failureToBytes(cloner: Cloner, failure: Failure): Uint8Array {
  return cloner.serialize(portable(failure, cloner));
}

/** A failure from its bytes. */
export function failureFromBytes(cloner: Cloner, bytes: Uint8Array): Failure {
  return revived(cloner.deserialize(bytes) as Failure);
}

/** Reads a failure back; the payload stays. */
export function loadFailure(payloads: Payloads, cloner: Cloner, block: number, job: string): Failure {
  if (block === DETAILS_LOST) return { kind: "lost", job };
  return failureFromBytes(cloner, payloads.bytes(block));
}

/** The failure at the beginning of a chain of dependencies. */
export function firstOf(failure: Failure): Failure {
  return failure.kind === "dependency" ? firstOf(failure.first) : failure;
}

function portable(failure: Failure, cloner: Cloner): Failure {
  if (failure.kind === "dependency") return { ...failure, first: portable(failure.first, cloner) };
  if (failure.kind === "threw") return { ...failure, error: pack(failure.error, cloner, 0) };
  return failure;
}

function revived(failure: Failure): Failure {
  if (failure.kind === "dependency") return { ...failure, first: revived(failure.first) };
  if (failure.kind === "threw") return { ...failure, error: unpack(failure.error) };
  return failure;
}

const DEEPEST = 16;

/** Makes anything that was thrown cloneable; what cannot be cloned in it becomes a description. */
function pack(thrown: unknown, cloner: Cloner, depth: number): unknown {
  if (!(thrown instanceof Error)) return cloneableOr(thrown, cloner);
  const properties: Record<string, unknown> = {};
  for (const key of Object.getOwnPropertyNames(thrown)) {
    if (key === "stack" || key === "message" || key === "name" || key === "__proto__") continue;
    properties[key] = guarded(() => packProperty((thrown as unknown as Record<string, unknown>)[key], cloner, depth));
  }
  return {
    mark: MARK,
    name: String(guarded(() => thrown.name)),
    message: String(guarded(() => thrown.message)),
    stack: guarded(() => (thrown.stack === undefined ? undefined : String(thrown.stack))) as string | undefined,
    properties,
  } satisfies ErrorRecord;
}

function packProperty(value: unknown, cloner: Cloner, depth: number): unknown {
  if (depth >= DEEPEST) return describe(value);
  if (value instanceof Error) return pack(value, cloner, depth + 1);
  if (Array.isArray(value) && value.some((part) => part instanceof Error)) {
    return value.map((part) => packProperty(part, cloner, depth + 1));
  }
  return cloneableOr(value, cloner);
}

function cloneableOr(value: unknown, cloner: Cloner): unknown {
  try {
    cloner.deserialize(cloner.serialize(value));
    return value;
  } catch {
    return describe(value);
  }
}

function describe(value: unknown): string {
  return String(guarded(() => String(value)));
}

/** The value of `read()`, or a description of what it throws: errors may have getters too. */
function guarded(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return "(unreadable)";
  }
}

const ERRORS: Record<string, new (message: string) => Error> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

function unpack(packed: unknown): unknown {
  if (Array.isArray(packed) && packed.some(isRecord)) return packed.map(unpack);
  if (!isRecord(packed)) return packed;
  const error =
    packed.name === "AggregateError"
      ? new AggregateError([], packed.message)
      : new (ERRORS[packed.name] ?? Error)(packed.message);
  if (error.name !== packed.name) define(error, "name", packed.name);
  define(error, "stack", packed.stack);
  for (const [key, value] of Object.entries(packed.properties))
    define(error, key, unpack(value), key !== "cause" && key !== "errors");
  return error;
}

function isRecord(value: unknown): value is ErrorRecord {
  return typeof value === "object" && value !== null && (value as ErrorRecord).mark === MARK;
}

function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}
