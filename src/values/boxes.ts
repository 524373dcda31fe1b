/**
 * How a value lies in a 64-bit cell: a number is itself; everything else is a not-a-number pattern
 * that no arithmetic produces (NaN boxing): the upper 24 bits are the tag, then a kind, then 32 bits
 * of content. A number that is not a number is stored as the usual NaN.
 */

import { types } from "node:util";
import v8 from "node:v8";

/** The tag, as the signed upper word of a cell, and its mask. */
export const TAG = 0xfffc0000 | 0;
export const TAG_MASK = ~0xff;

export const UNDEFINED = 1;
export const NULL = 2;
export const FALSE = 3;
export const TRUE = 4;
export const STRING8 = 5; // content: a payload of Latin-1 characters
export const STRING16 = 6; // content: a payload of UTF-16 code units
export const CLONE = 7; // content: a payload of a structured clone
export const BUFFER = 8; // content: a shared buffer's number
export const VIEW = 9; // content: a shared buffer's number; the next cells: byte offset * 16 + type, length
export const MEMORY = 10; // content: a shared WebAssembly.Memory's number
export const JOB = 11; // content: a job's slot; the next cell: its generation
export const FAILED_JOB = 12; // content: a payload of the failure
export const PRIMITIVE = 13; // content: the number of the shared buffer behind a channel or the like
export const DONE_JOB = 14; // content: a payload of a job's name and its result

/** Cells that the widest value takes. */
export const WIDEST = 3;

/** How many cells a value of a kind takes. */
export function widthOf(kind: number): number {
  return kind === VIEW ? 3 : kind === JOB ? 2 : 1;
}

/** Whether a kind's content is a shared object's number. */
export function isByNumber(kind: number): boolean {
  return kind === BUFFER || kind === VIEW || kind === MEMORY || kind === PRIMITIVE;
}

type ViewConstructor = new (buffer: ArrayBufferLike, offset: number, length?: number) => ArrayBufferView;

/** In place of a view's length: it has always that of its buffer, however that is resized. */
const TRACKING = -1;

const VIEWS = [
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

function gettersFor(view: ArrayBufferView) {
  return tagOfTyped.call(view) === undefined ? OF_DATA : OF_TYPED;
}

function typeName(view: ArrayBufferView): string {
  return tagOfTyped.call(view) ?? "DataView";
}

/**
 * A view with the prototype that the runtime gave it, on the same memory.
 *
 * @throws TypeError when it is a view of nothing any more
 */
export function plainView(view: ArrayBufferView): ArrayBufferView {
  const getters = gettersFor(view);
  let offset: number;
  try {
    // Of a typed array that is out of bounds the offset is 0, but this method throws.
    if (getters === OF_TYPED) Uint8Array.prototype.keys.call(view as Uint8Array);
    offset = getters.byteOffset.call(view);
  } catch {
    throw new TypeError(`the ${typeName(view)}'s buffer is detached, or the view is out of bounds of it`);
  }
  if (VIEWS.includes(view.constructor as ViewConstructor)) return view;
  return makeView(viewType(view), bufferOf(view), offset, viewLength(view));
}

/** The number of the type of views that a constructor makes; -1 if it makes none. */
export function viewTypeMadeBy(maker: unknown): number {
  return VIEWS.indexOf(maker as ViewConstructor);
}

/** Makes a view on a buffer; `length` is one that `viewLength` has given. */
export function makeView(type: number, buffer: ArrayBufferLike, offset: number, length: number): ArrayBufferView {
  return length === TRACKING ? new VIEWS[type](buffer, offset) : new VIEWS[type](buffer, offset, length);
}

/** A view's length in elements (bytes for a DataView), or that it tracks its buffer's. */
export function viewLength(view: ArrayBufferView): number {
  return isTracking(view) ? TRACKING : gettersFor(view).length.call(view);
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

/** Whether memory is shared between threads; of any realm, and not what only looks like it. */
export function isShared(buffer: unknown): buffer is SharedArrayBuffer {
  return types.isSharedArrayBuffer(buffer);
}

// Some options of Node, such as --jitless, remove WebAssembly.
const memoryBuffer =
  typeof WebAssembly === "undefined"
    ? undefined
    : Object.getOwnPropertyDescriptor(WebAssembly.Memory.prototype, "buffer")?.get;

/** The buffer of a WebAssembly.Memory of any realm; undefined for anything else. */
export function memoryUnder(value: object): ArrayBufferLike | undefined {
  try {
    return memoryBuffer?.call(value);
  } catch {
    return undefined;
  }
}

/** Whether a buffer may change its length. */
export function isResizable(buffer: ArrayBufferLike): boolean {
  const { resizable, growable } = buffer as { resizable?: boolean; growable?: boolean };
  return resizable === true || growable === true;
}

/** Of views on buffers that may change their length, whether they track it. */
const tracking = new WeakMap<ArrayBufferView, boolean>();

function isTracking(view: ArrayBufferView): boolean {
  const buffer = bufferOf(view);
  if (!isResizable(buffer)) return false;
  let known = tracking.get(view);
  if (known === undefined) {
    known = new Prober().tracks(view);
    tracking.set(view, known);
  }
  return known;
}

/** Only the serialiser tells whether a view tracks its buffer's length: a bit of the last byte that it writes of a view. */
class Prober extends v8.Serializer {
  tracks(view: ArrayBufferView): boolean {
    this.writeHeader();
    this.writeValue(view);
    const bytes = this.releaseBuffer();
    return ((bytes.at(-1) as number) & 1) !== 0;
  }

  /** Called by the serialiser for a shared buffer. */
  _getSharedArrayBufferId(): number {
    return 0;
  }
}
