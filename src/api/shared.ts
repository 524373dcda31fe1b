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
 * @throws RangeError when `length` is not a whole number, or there is not enough memory
 * @example
 * const image = shared(Float32Array, width * height);
 */
export function shared<T extends ArrayBufferView & { set(from: ArrayLike<never>): void }>(
  type: TypedArrayConstructor<T>,
  length: number | ArrayLike<T extends { [index: number]: infer E } ? E : never>,
): T {
  const count = typeof length === "number" ? length : length.length;
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`length must be a whole number of elements, 0 or more, not ${String(length)}`);
  }
  const array = new type(new SharedArrayBuffer(count * type.BYTES_PER_ELEMENT));
  if (typeof length !== "number") array.set(length as ArrayLike<never>);
  return array;
}
