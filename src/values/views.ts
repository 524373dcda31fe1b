/** Typed arrays and DataViews, whatever their prototypes are, with nothing but the language itself. */

import { isInstance } from "./describe.js";

type ViewConstructor = new (buffer: ArrayBufferLike, offset: number, length?: number) => ArrayBufferView;

/** In place of a view's length: it has always that of its buffer, however that is resized. */
export const TRACKING = -1;

/** Their order is part of the encoding (see encoding/format.ts): what is new comes last. */
export const VIEWS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  (globalThis as { Float16Array?: unknown }).Float16Array,
].filter((type) => type !== undefined) as unknown as readonly ViewConstructor[];

/** The number of a view's type; `Buffer` and other subclasses count as what they extend. @throws TypeError if there is none */
export function viewType(view: ArrayBufferView): number {
  const exact = VIEWS.indexOf(view.constructor as ViewConstructor);
  if (exact >= 0) return exact;
  const name = typeName(view);
  const type = VIEWS.findIndex((each) => (each as unknown as { name: string }).name === name);
  if (type < 0) throw new TypeError(`a ${name} cannot cross threads; pass another view of its buffer`);
  return type;
}

const TYPED_ARRAY = Object.getPrototypeOf(Uint8Array.prototype) as object;

type Getter<T> = (this: ArrayBufferView) => T;

/** The runtime's own getter of views: what it says holds whatever the view's prototype is. */
function getterOf<T>(prototype: object, key: string | symbol): Getter<T> {
  return Object.getOwnPropertyDescriptor(prototype, key)?.get as Getter<T>;
}

// Once, as to look for a getter takes far longer than to call it, and each argument that is a view needs some.
const tagOfTyped = getterOf<string | undefined>(TYPED_ARRAY, Symbol.toStringTag);
const OF_TYPED = gettersOf(TYPED_ARRAY, "length");
const OF_DATA = gettersOf(DataView.prototype, "byteLength");

/** @param length the name of the getter of a view's length in elements */
function gettersOf(prototype: object, length: string) {
  return {
    buffer: getterOf<ArrayBufferLike>(prototype, "buffer"),
    byteOffset: getterOf<number>(prototype, "byteOffset"),
    byteLength: getterOf<number>(prototype, "byteLength"),
    length: getterOf<number>(prototype, length),
  };
}

export function gettersFor(view: ArrayBufferView) {
  return tagOfTyped.call(view) === undefined ? OF_DATA : OF_TYPED;
}

function typeName(view: ArrayBufferView): string {
  return tagOfTyped.call(view) ?? "DataView";
}

/**
 * Where a view begins in its buffer, in bytes.
 *
 * @throws TypeError when it is a view of nothing any more
 */
export function offsetOf(view: ArrayBufferView): number {
  const getters = gettersFor(view);
  try {
    // Of a typed array that is out of bounds the offset is 0, but this method throws.
    if (getters === OF_TYPED) Uint8Array.prototype.keys.call(view as Uint8Array);
    return getters.byteOffset.call(view);
  } catch {
    throw new TypeError(`the ${typeName(view)}'s buffer is detached, or the view is out of bounds of it`);
  }
}

/** Whether a view is of a class of the user's, `Buffer` or the like, or of another realm. */
export function isDerived(view: ArrayBufferView): boolean {
  return !VIEWS.includes(view.constructor as ViewConstructor);
}

/** The number of the type of views that a constructor makes; -1 if it makes none. */
export function viewTypeMadeBy(maker: unknown): number {
  return VIEWS.indexOf(maker as ViewConstructor);
}

/** The bytes of an element of a type of views: 1 of a DataView. */
export function elementSize(type: number): number {
  return (VIEWS[type] as unknown as Uint8ArrayConstructor).BYTES_PER_ELEMENT ?? 1;
}

/** Makes a view on a buffer; `length` is one that `viewLength` has given. */
export function makeView(type: number, buffer: ArrayBufferLike, offset: number, length: number): ArrayBufferView {
  return length === TRACKING ? new VIEWS[type](buffer, offset) : new VIEWS[type](buffer, offset, length);
}

/** The memory under a view. */
export function bufferOf(view: ArrayBufferView): ArrayBufferLike {
  return gettersFor(view).buffer.call(view);
}

/** The bytes of a view or a buffer; 0 when it is a view of nothing any more. */
export function byteLengthOf(value: ArrayBufferView | ArrayBufferLike): number {
  if (!ArrayBuffer.isView(value)) return value.byteLength;
  try {
    return gettersFor(value).byteLength.call(value);
  } catch {
    return 0;
  }
}

/** Node 26 makes the pool longer by up to so many bytes, to align it. */
const POOL_SLACK = 64;

/** Whether a view is one of Node's small `Buffer`s, which lie side by side in one buffer and have nothing to do with each other. */
export function isPooled(view: ArrayBufferView): boolean {
  const { Buffer } = globalThis as { Buffer?: typeof globalThis.Buffer };
  if (Buffer === undefined || !isInstance(view, Buffer)) return false;
  const more = bufferOf(view).byteLength - Buffer.poolSize;
  return more >= 0 && more <= POOL_SLACK;
}
