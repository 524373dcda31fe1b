/** How messages lie in the cells of a channel: numbers, records of a fixed length, or serialised values. */
import { M_DATA, M_LENGTH } from "../memory/primitives.js";
import { blameFor } from "../values/blame.js";
import { Cloner } from "../values/clone.js";
import { isInstance } from "../values/describe.js";
import { TooLarge } from "../values/room.js";
import type { ObjectNumbers } from "../values/shared-objects.js";
import * as views from "../values/views.js";
import { tooLargeToSend } from "./errors.js";
import { handleName } from "./handle-name.js";

/** `E`: a message that was checked, in the form in which it is written. */
export interface Format<T, E> {
  /** @throws what is wrong with the value */
  encode(value: T): E;
  /** The same message, which later changes of the value leave alone. */
  keep(encoded: E): E;
  write(cell: number, encoded: E): void;
  read(cell: number): T;
}

export class NumberFormat implements Format<number, number> {
  readonly #f64: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#f64 = new Float64Array(buffer);
  }

  encode(value: number): number {
    if (typeof value === "number") return value;
    throw new TypeError(
      `value must be a number, not ${describe(value)}; for other values, make the channel with { capacity, maxBytes } or { capacity, record, length }`,
    );
  }

  keep(encoded: number): number {
    return encoded;
  }

  write(cell: number, encoded: number): void {
    this.#f64[(cell + M_DATA) / 2] = encoded;
  }

  read(cell: number): number {
    return this.#f64[(cell + M_DATA) / 2];
  }
}

export class RecordFormat implements Format<Uint8Array, Uint8Array> {
  /** All of the memory in the records' type; typed here as one of them. */
  readonly #view: Uint8Array;
  readonly #type: number;
  readonly #length: number;

  /**
   * @param type the number of the records' type
   * @param bytes how many a record takes
   */
  constructor(buffer: SharedArrayBuffer, type: number, bytes: number) {
    const { BYTES_PER_ELEMENT } = views.makeView(type, buffer, 0, 0) as Uint8Array;
    this.#type = type;
    this.#length = bytes / BYTES_PER_ELEMENT;
    this.#view = views.makeView(type, buffer, 0, Math.floor(buffer.byteLength / BYTES_PER_ELEMENT)) as Uint8Array;
  }

  encode(value: Uint8Array): Uint8Array {
    const { name } = this.#view.constructor;
    if (!ArrayBuffer.isView(value) || views.viewType(value) !== this.#type) {
      throw new TypeError(`value must be a ${name} of length ${this.#length}, not ${describe(value)}`);
    }
    if (value.length !== this.#length) {
      throw new RangeError(
        `value must have the length of this channel's records, ${this.#length}, not ${value.length}; fill it up, or make the channel with another length`,
      );
    }
    return value;
  }

  keep(encoded: Uint8Array): Uint8Array {
    const copy = views.makeView(this.#type, new ArrayBuffer(encoded.byteLength), 0, this.#length) as Uint8Array;
    copy.set(encoded);
    return copy;
  }

  write(cell: number, encoded: Uint8Array): void {
    this.#view.set(encoded, this.#start(cell));
  }

  read(cell: number): Uint8Array {
    const start = this.#start(cell);
    return this.#view.slice(start, start + this.#length);
  }

  #start(cell: number): number {
    return (4 * (cell + M_DATA)) / this.#view.BYTES_PER_ELEMENT;
  }
}

function neverSent(): never {
  throw new Error("a channel carries no shared memory");
}

/** A channel belongs to no job system, which alone could count the travels of shared memory. */
const nothingShared: ObjectNumbers = {
  ports: false,
  depart() {
    throw new DOMException(
      "a view on shared memory, which a channel would have to copy; pass it to the job as an argument",
      "DataCloneError",
    );
  },
  arrive: neverSent,
  find: neverSent,
  end() {},
};

const cloner = new Cloner(nothingShared);

export class ValueFormat implements Format<unknown, Uint8Array> {
  readonly #i32: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #maxBytes: number;

  constructor(buffer: SharedArrayBuffer, maxBytes: number) {
    this.#i32 = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#maxBytes = maxBytes;
  }

  encode(value: unknown): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = cloner.serialize(value);
    } catch (error) {
      if (isInstance(error, TooLarge)) throw tooLargeToSend(error.bytes, this.#maxBytes);
      const { path, reason } = blameFor(error, value, cloner, handleName);
      const place = path ? `value at ${path}` : "value";
      throw new DOMException(`${place} cannot be sent through a channel: ${reason}`, "DataCloneError");
    }
    if (bytes.length > this.#maxBytes) throw tooLargeToSend(bytes.length, this.#maxBytes);
    return bytes;
  }

  keep(encoded: Uint8Array): Uint8Array {
    return encoded;
  }

  write(cell: number, encoded: Uint8Array): void {
    this.#i32[cell + M_LENGTH] = encoded.length;
    this.#bytes.set(encoded, 4 * (cell + M_DATA));
  }

  read(cell: number): unknown {
    const start = 4 * (cell + M_DATA);
    return cloner.deserialize(this.#bytes.subarray(start, start + this.#i32[cell + M_LENGTH]));
  }
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  try {
    return `an object (${value.constructor?.name ?? "of no class"})`;
  } catch {
    return "an object that cannot be read";
  }
}
