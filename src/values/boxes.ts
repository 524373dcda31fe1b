/**
 * How a value lies in a 64-bit cell: a number is itself; everything else is a not-a-number pattern
 * that no arithmetic produces (NaN boxing): the upper 24 bits are the tag, then a kind, then 32 bits
 * of content. A number that is not a number is stored as the usual NaN.
 */

import { tracksLength, types } from "../platform/host.js";
import { isTracking as tracksResizable, tracksShared } from "./encoding/tracking.js";
import { bufferOf, gettersFor, isDerived, makeView, offsetOf, TRACKING, viewType } from "./views.js";

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

/**
 * A view with the prototype that the runtime gave it, on the same memory.
 *
 * @throws TypeError when it is a view of nothing any more
 */
export function plainView(view: ArrayBufferView): ArrayBufferView {
  const offset = offsetOf(view);
  return isDerived(view) ? makeView(viewType(view), bufferOf(view), offset, viewLength(view)) : view;
}

/** A view's length in elements (bytes for a DataView), or that it tracks its buffer's. */
export function viewLength(view: ArrayBufferView): number {
  return isTracking(view) ? TRACKING : gettersFor(view).length.call(view);
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
    known = tracksLength(view) ?? (isShared(buffer) ? tracksShared(view) : tracksResizable(view));
    tracking.set(view, known);
  }
  return known;
}
