/**
 * Structured clones in shared memory, made by the runtime's own serialiser (`node:v8`): it is exactly
 * the structured clone algorithm, so nothing is silently changed or left out. Views on shared memory
 * inside a value go by reference.
 */
import v8 from "node:v8";
import { LARGEST_PAYLOAD } from "../memory/payloads.js";
import { makeView, plainView, viewLength, viewType } from "./boxes.js";
import { describe, isInstance } from "./describe.js";
import { NoRoom, TooLarge } from "./room.js";
import type { SharedObject, SharedObjects } from "./shared-objects.js";

const SHARED_VIEW = 1;
const COPIED_VIEW = 0;

/** Makes bytes of values and values of bytes. */
export class Cloner {
  readonly #objects: SharedObjects | undefined;

  /** @param objects how views on shared memory go by reference; without it they are copied */
  constructor(objects?: SharedObjects) {
    this.#objects = objects;
  }

  /** @throws whatever the serialiser throws when a part cannot be cloned */
  serialize(value: unknown): Uint8Array {
    const serializer = new SharingSerializer(this.#objects);
    try {
      if (value instanceof ArrayBuffer && value.byteLength > LARGEST_PAYLOAD) throw new TooLarge(value.byteLength);
      serializer.writeHeader();
      serializer.writeValue(value);
      return serializer.releaseBuffer();
    } catch (error) {
      for (const number of serializer.departed) this.#objects?.end(number);
      throw error;
    }
  }

  deserialize(bytes: Uint8Array): unknown {
    const deserializer = new SharingDeserializer(bytes, this.#objects);
    deserializer.readHeader();
    return deserializer.readValue();
  }
}

class SharingSerializer extends v8.Serializer {
  readonly departed: number[] = [];
  readonly #objects: SharedObjects | undefined;

  constructor(objects: SharedObjects | undefined) {
    super();
    this.#objects = objects;
    (
      this as unknown as { _setTreatArrayBufferViewsAsHostObjects(on: boolean): void }
    )._setTreatArrayBufferViewsAsHostObjects(true);
  }

  /** Called by the serialiser for every view. */
  _writeHostObject(object: object): void {
    if (!ArrayBuffer.isView(object))
      throw this._getDataCloneError(`${Object.prototype.toString.call(object)} could not be cloned.`);
    const value = plainView(object);
    const objects = value.buffer instanceof SharedArrayBuffer ? this.#objects : undefined;
    this.writeUint32(objects === undefined ? COPIED_VIEW : SHARED_VIEW);
    this.writeUint32(viewType(value));
    if (objects !== undefined) {
      const number = objects.depart(value.buffer as SharedObject);
      if (number === 0) throw new NoRoom();
      this.departed.push(number);
      this.writeUint32(number);
      this.writeDouble(value.byteOffset);
      this.writeDouble(viewLength(value));
    } else {
      if (value.byteLength > LARGEST_PAYLOAD) throw new TooLarge(value.byteLength);
      this.writeUint32(value.byteLength);
      this.writeRawBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    }
  }

  /** Called by the serialiser to make the error for what cannot be cloned. */
  _getDataCloneError(message: string): Error {
    return new DOMException(message, "DataCloneError");
  }
}

class SharingDeserializer extends v8.Deserializer {
  readonly #objects: SharedObjects | undefined;

  constructor(bytes: Uint8Array, objects: SharedObjects | undefined) {
    super(bytes);
    this.#objects = objects;
  }

  _readHostObject(): ArrayBufferView {
    const shared = this.readUint32() === SHARED_VIEW;
    const type = this.readUint32();
    if (shared) {
      const buffer = this.#objects?.arrive(this.readUint32()) as SharedArrayBuffer;
      const offset = this.readDouble();
      return makeView(type, buffer, offset, this.readDouble());
    }
    const bytes = this.readRawBytes(this.readUint32());
    const copy = new Uint8Array(bytes);
    const whole = makeView(type, copy.buffer, 0, 0) as Uint8Array;
    return makeView(type, copy.buffer, 0, copy.byteLength / (whole.BYTES_PER_ELEMENT ?? 1));
  }
}

/**
 * Finds the part of `value` that cannot be cloned.
 *
 * @returns the way to it, such as ".options.onDone", and why; undefined if no part is to blame
 */
export function findUncloneable(
  value: unknown,
  cloner: Cloner,
  isHandle: (part: unknown) => boolean,
): Blame | undefined {
  // A handle that cannot be sent says why itself.
  if (isHandle(value)) return undefined;
  return search(value, { cloner, isHandle, seen: new Set() }, "");
}

/** Where a value cannot be cloned, and why. */
interface Blame {
  readonly path: string;
  readonly reason: string;
}

interface Search {
  readonly cloner: Cloner;
  readonly isHandle: (part: unknown) => boolean;
  readonly seen: Set<unknown>;
}

const DEEPEST = 100;

function search(value: unknown, about: Search, path: string): Blame | undefined {
  if (about.isHandle(value))
    return { path, reason: "a Job inside another value; pass each job as an argument of its own" };
  const reason = reasonAgainst(value, about.cloner);
  if (reason === undefined) return undefined;
  const { seen } = about;
  if (typeof value !== "object" || value === null || seen.has(value) || seen.size > DEEPEST) return { path, reason };
  seen.add(value);
  for (const [step, read] of partsOf(value)) {
    let part: unknown;
    try {
      part = read();
    } catch (error) {
      return { path: path + step, reason: `reading it throws ${describe(error)}` };
    }
    const found = search(part, about, path + step);
    if (found !== undefined) return found;
  }
  return { path, reason };
}

function reasonAgainst(value: unknown, cloner: Cloner): string | undefined {
  try {
    cloner.serialize(value);
    return undefined;
  } catch (error) {
    if (isInstance(value, SharedArrayBuffer)) {
      return "a bare SharedArrayBuffer inside another value; pass a typed array on it, or the buffer as an argument of its own";
    }
    return isInstance(error, Error) ? error.message : describe(error);
  }
}

function* partsOf(value: object): Generator<[string, () => unknown]> {
  if (value instanceof Map) {
    // Not the iterator that a subclass may have.
    for (const [key, part] of Map.prototype.entries.call(value)) {
      yield [".keys()", () => key];
      yield [`.get(${describe(key)})`, () => part];
    }
  } else if (value instanceof Set) {
    for (const part of Set.prototype.values.call(value)) yield [".values()", () => part];
  } else {
    for (const key of Object.keys(value)) {
      const step = Array.isArray(value)
        ? `[${key}]`
        : /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
          ? `.${key}`
          : `[${JSON.stringify(key)}]`;
      yield [step, () => (value as Record<string, unknown>)[key]];
    }
  }
}
