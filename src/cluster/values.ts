/**
 * Arguments, results and failures as text for the database: bytes of heddle's own (see values/encoding), in base64, as those
 * of one version of Node are not all read by another. A value means the same here as on one machine; only what goes by
 * reference there, memory shared between threads, is refused.
 */
import { PayloadTooLargeError } from "../api/errors.js";
import { blameFor } from "../values/blame.js";
import { Cloner } from "../values/clone.js";
import { isInstance } from "../values/describe.js";
import { decode } from "../values/encoding/reader.js";
import { type EncodeOptions, encode } from "../values/encoding/writer.js";
import { type Failure, failureFromBytes, failureToBytes } from "../values/failures.js";
import { TooLarge } from "../values/room.js";
import type { Serializer } from "../values/serializer.js";

/** The first byte of what heddle 0.1 has stored, which used the serialiser of V8. */
export const BY_V8 = 0xff;
const before = new Cloner();

/** Copies memory that is shared between threads. */
const copying: Serializer = { serialize: encode, deserialize: valueFromBytes };

/**
 * @param what such as 'argument 2 of job "count"'
 * @throws DataCloneError (a DOMException) naming the part that cannot be copied, PayloadTooLargeError
 */
export function argumentToText(value: unknown, what: string, maxBytes: number): string {
  return toText(value, what, { maxBytes, refuseShared: true }, "can't go to another machine");
}

/** @throws DataCloneError (a DOMException) naming the part that cannot be copied, PayloadTooLargeError */
export function resultToText(value: unknown, maxBytes: number): string {
  return toText(value, "the result", { maxBytes }, "can't be stored");
}

export function valueFromText(text: string): unknown {
  return valueFromBytes(fromBase64(text));
}

/** @param bytes of `encode`, or what heddle 0.1 has stored @throws what `decode` throws; Error for what only the Node that wrote it reads */
export function valueFromBytes(bytes: Uint8Array): unknown {
  if (bytes[0] !== BY_V8) return decode(bytes);
  try {
    return before.deserialize(bytes);
  } catch (cause) {
    const message = `heddle 0.1 stored this value in the format of the Node that it ran on, and Node ${process.versions.node} can't read it; read it with that version of Node, or run the job again`;
    throw new Error(message, { cause });
  }
}

export function failureToText(failure: Failure): string {
  return toBase64(failureToBytes(copying, failure));
}

/** @param job the name of the job, should the text not be readable */
export function failureFromText(text: string, job: string): Failure {
  return failureFromBytes(copying, fromBase64(text), job);
}

type Limits = EncodeOptions & { readonly maxBytes: number };

function toText(value: unknown, what: string, limits: Limits, cannot: string): string {
  const { maxBytes } = limits;
  try {
    return toBase64(encode(value, limits));
  } catch (error) {
    if (isInstance(error, TooLarge)) throw tooLarge(what, error.bytes, maxBytes);
    const parts: Serializer = { ...copying, serialize: (part) => encode(part, limits) };
    const { path, reason } = blameFor(error, value, parts, () => undefined);
    throw new DOMException(`${what}${path === "" ? "" : `, at ${path},`} ${cannot}: ${reason}`, "DataCloneError");
  }
}

function tooLarge(what: string, bytes: number, maxBytes: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `${what} takes at least ${bytes} bytes, and maxValueBytes allows ${maxBytes}; keep large data where all machines reach it, such as files or object storage, and pass where it is, or give Cluster.connect a larger maxValueBytes`,
    bytes,
    maxBytes,
  );
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}
