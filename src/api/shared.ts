import { describe, isInstance } from "../values/describe.js";
import { sharedBuffer } from "./shared-memory.js";

/** A constructor of typed arrays. */
export type TypedArrayConstructor<T> = {
  new (buffer: SharedArrayBuffer, byteOffset?: number, length?: number): T;
  readonly BYTES_PER_ELEMENT: number;
};

/**
 * Makes a typed array on shared memory: passed to a job it is not copied, every thread sees the same elements.
 *
 * @param type a typed array constructor, such as `Float32Array`
 * @param length number of elements, 0 or more; or the elements themselves
 * @returns the array, filled with zeros or the given elements
 * @throws TypeError for another type, or a `length` of another kind; RangeError when it is not a whole number, or there
 * is not enough memory
 * @example
 * const image = shared(Float32Array, width * height);
 */
export function shared<T extends ArrayBufferView & { set(from: ArrayLike<never>): void }>(
  type: TypedArrayConstructor<T>,
  length: number | ArrayLike<T extends { [index: number]: infer E } ? E : never>,
): T {
  if (!isTypedArrayConstructor(type)) {
    throw new TypeError(`type must be a typed array constructor such as Float32Array, not ${describe(type)}`);
  }
  if (typeof length !== "number" && (typeof length !== "object" || length === null)) {
    throw new TypeError(
      `length must be a number of elements, or an array of elements, not ${length === null ? "null" : typeof length}`,
    );
  }
  const count: unknown = typeof length === "number" ? length : length.length;
  if (typeof count !== "number" || !Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`length must be a whole number of elements, 0 or more, not ${describe(count)}`);
  }
  const array = new type(memoryFor(count, type.BYTES_PER_ELEMENT));
  if (typeof length !== "number") fill(array, length as ArrayLike<never>);
  return array;
}

/** Of any realm: only the prototype of all typed arrays, which is below that of each, has a getter that tells their names. */
function isTypedArrayConstructor(type: unknown): boolean {
  try {
    if (typeof type !== "function") return false;
    for (let at = Object.getPrototypeOf(type.prototype); at !== null; at = Object.getPrototypeOf(at)) {
      const tag = Object.getOwnPropertyDescriptor(at, Symbol.toStringTag)?.get;
      if (tag !== undefined && tag.call(new Uint8Array()) === "Uint8Array") return true;
    }
  } catch {
    // A proxy, or a prototype that is none.
  }
  return false;
}

function memoryFor(count: number, bytes: number): SharedArrayBuffer {
  try {
    return sharedBuffer(count * bytes);
  } catch (cause) {
    if (!isInstance(cause, RangeError)) throw cause;
    throw new RangeError(`length must be smaller: there is no memory for ${count} elements of ${bytes} bytes`, {
      cause,
    });
  }
}

function fill(array: { set(from: ArrayLike<never>): void }, elements: ArrayLike<never>): void {
  try {
    array.set(elements);
  } catch (cause) {
    const why = isInstance(cause, Error) ? cause.message : describe(cause);
    throw new TypeError(`length gives elements that do not go into the array: ${why}`, { cause });
  }
}
