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
import type { ObjectNumbers, SharedObject } from "./shared-objects.js";

const SHARED_VIEW = 1;
const COPIED_VIEW = 0;

/** Makes bytes of values and values of bytes. */
export class Cloner {
  readonly #objects: ObjectNumbers | undefined;

  /** @param objects how views on shared memory go by reference; without it they are copied */
  constructor(objects?: ObjectNumbers) {
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

  /** @param again whether the bytes are to be read another time: their shared objects then go on travelling */
  deserialize(bytes: Uint8Array, again = false): unknown {
    const deserializer = new SharingDeserializer(bytes, this.#objects, again);
    deserializer.readHeader();
    return deserializer.readValue();
  }
}

class SharingSerializer extends v8.Serializer {
  readonly departed: number[] = [];
  readonly #objects: ObjectNumbers | undefined;

  constructor(objects: ObjectNumbers | undefined) {
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
  readonly #objects: ObjectNumbers | undefined;
  readonly #again: boolean;

  constructor(bytes: Uint8Array, objects: ObjectNumbers | undefined, again: boolean) {
    super(bytes);
    this.#objects = objects;
    this.#again = again;
  }

  _readHostObject(): ArrayBufferView {
    const shared = this.readUint32() === SHARED_VIEW;
    const type = this.readUint32();
    if (shared) {
      const number = this.readUint32();
      const object = this.#again ? this.#objects?.find(number) : this.#objects?.arrive(number);
      const buffer = object as SharedArrayBuffer;
      const offset = this.readDouble();
      return makeView(type, buffer, offset, this.readDouble());
    }
    const bytes = this.readRawBytes(this.readUint32());
    const copy = new Uint8Array(bytes);
    const whole = makeView(type, copy.buffer, 0, 0) as Uint8Array;
    return makeView(type, copy.buffer, 0, copy.byteLength / (whole.BYTES_PER_ELEMENT ?? 1));
  }
}

/** Whether the runtime has run out of stack while it copied or read a value. */
export function isTooDeep(error: unknown): boolean {
  return isInstance(error, RangeError) && /call stack/.test(describe(error.message));
}

/**
 * Says why `value` cannot be cloned.
 *
 * @param error what was thrown when it was tried
 * @param handleName what to call a value that goes by reference; undefined for others
 */
export function blameFor(
  error: unknown,
  value: unknown,
  cloner: Cloner,
  handleName: (part: unknown) => string | undefined,
): Blame {
  if (isTooDeep(error)) {
    return {
      path: "",
      reason: "it is nested too deeply; make it flatter, such as an array of records that name each other by index",
    };
  }
  let found: Blame | undefined;
  try {
    found = search(value, { cloner, handleName, seen: new Set() }, "");
  } catch {
    // The value does not let itself be searched: a proxy, for example.
  }
  return found ?? { path: "", reason: reasonIn(error) };
}

function reasonIn(error: unknown): string {
  return isInstance(error, Error) ? error.message : describe(error);
}

/** Where a value cannot be cloned, and why. */
interface Blame {
  /** The way to the part that is to blame, such as ".options.onDone"; empty if it is the whole. */
  readonly path: string;
  readonly reason: string;
}

interface Search {
  readonly cloner: Cloner;
  readonly handleName: (part: unknown) => string | undefined;
  readonly seen: Set<unknown>;
}

const DEEPEST = 100;

function search(value: unknown, about: Search, path: string): Blame | undefined {
  const handle = about.handleName(value);
  if (handle !== undefined) {
    return { path, reason: `a ${handle}, which goes by reference and only as an argument of its own, or a result` };
  }
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
    return reasonIn(error);
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
