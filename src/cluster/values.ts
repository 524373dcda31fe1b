/**
 * Arguments, results and failures as text for the database: structured clones by the runtime's own serialiser, whose
 * format may be stored and is read by newer versions, in base64. So a value means the same here as on one machine; only
 * what goes by reference there, memory shared between threads, is refused.
 */
import { PayloadTooLargeError } from "../api/errors.js";
import { blameFor } from "../values/blame.js";
import { Cloner } from "../values/clone.js";
import { isInstance } from "../values/describe.js";
import { type Failure, failureFromBytes, failureToBytes } from "../values/failures.js";
import { TooLarge } from "../values/room.js";

/** Copies memory that is shared between threads. */
const copying = new Cloner();
/** Refuses it. */
const strict = new Cloner({
  ports: false,
  depart: refuseShared,
  arrive: refuseShared,
  find: refuseShared,
  end: () => {},
});

function refuseShared(): never {
  throw new DOMException(
    "memory that is shared between threads stays on its machine; pass a copy of it",
    "DataCloneError",
  );
}

/**
 * @param what such as 'argument 2 of job "count"'
 * @throws DataCloneError (a DOMException) naming the part that cannot be copied, PayloadTooLargeError
 */
export function argumentToText(value: unknown, what: string, maxBytes: number): string {
  return toText(strict, value, what, maxBytes, "can't go to another machine");
}

/** @throws DataCloneError (a DOMException) naming the part that cannot be copied, PayloadTooLargeError */
export function resultToText(value: unknown, maxBytes: number): string {
  return toText(copying, value, "the result", maxBytes, "can't be stored");
}

export function valueFromText(text: string): unknown {
  return valueFromBytes(fromBase64(text));
}

export function valueFromBytes(bytes: Uint8Array): unknown {
  return copying.deserialize(bytes);
}

export function failureToText(failure: Failure): string {
  return toBase64(failureToBytes(copying, failure));
}

/** @param job the name of the job, should the text not be readable */
export function failureFromText(text: string, job: string): Failure {
  return failureFromBytes(copying, fromBase64(text), job);
}

function toText(cloner: Cloner, value: unknown, what: string, maxBytes: number, cannot: string): string {
  const bytes = toBytes(cloner, value, what, maxBytes, cannot);
  if (bytes.length > maxBytes) throw tooLarge(what, bytes.length, maxBytes);
  return toBase64(bytes);
}

function tooLarge(what: string, bytes: number, maxBytes: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `${what} takes ${bytes} bytes, and maxValueBytes allows ${maxBytes}; keep large data where all machines reach it, such as files or object storage, and pass where it is, or give Cluster.connect a larger maxValueBytes`,
    bytes,
    maxBytes,
  );
}

function toBytes(cloner: Cloner, value: unknown, what: string, maxBytes: number, cannot: string): Uint8Array {
  try {
    return cloner.serialize(value);
  } catch (error) {
    if (isInstance(error, TooLarge)) throw tooLarge(what, error.bytes, maxBytes);
    const { path, reason } = blameFor(error, value, cloner, () => undefined);
    throw new DOMException(`${what}${path === "" ? "" : `, at ${path},`} ${cannot}: ${reason}`, "DataCloneError");
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}
