/** Whether a view tracks the length of its buffer, which the language does not say. */
import { bufferOf, byteLengthOf, elementSize, offsetOf, VIEWS, viewType } from "../views.js";

/**
 * Of a view on an ArrayBuffer, which is resized for a moment if it may be.
 *
 * @param view one that is within its buffer
 */
export function isTracking(view: ArrayBufferView): boolean {
  const buffer = bufferOf(view) as ArrayBuffer;
  if (!buffer.resizable) return false;
  const { byteLength, maxByteLength } = buffer;
  const size = elementSize(viewType(view));
  const before = byteLengthOf(view);
  const end = offsetOf(view) + before;
  // What tracks leaves no room for one more.
  if (end + size <= byteLength) return false;
  try {
    if (end + size <= maxByteLength) {
      buffer.resize(end + size);
      const tracks = byteLengthOf(view) > before;
      buffer.resize(byteLength);
      return tracks;
    }
    // It can't ever get longer: what tracks nothing and what tracks none are the same.
    if (before === 0) return false;
    const last = new Uint8Array(buffer, end - 1).slice();
    buffer.resize(end - 1);
    const tracks = isWithin(view);
    buffer.resize(byteLength);
    new Uint8Array(buffer).set(last, end - 1);
    return tracks;
  } catch {
    // Such as the memory of a WebAssembly module, which only grows.
    return false;
  }
}

function isWithin(view: ArrayBufferView): boolean {
  try {
    offsetOf(view);
    return true;
  } catch {
    return false;
  }
}

/**
 * Of a view on shared memory, which cannot be made shorter again: the rest of a typed array that tracks is made without a length.
 * Where the runtime does not do so, and of a DataView, what reaches to the end of the memory counts as tracking.
 */
export function tracksShared(view: ArrayBufferView): boolean {
  const type = viewType(view);
  const reaches = offsetOf(view) + byteLengthOf(view) + elementSize(type) > bufferOf(view).byteLength;
  if (!reaches || VIEWS[type] === DataView) return reaches;
  restsTell ??= hasRestWithoutLength(new Uint8Array(new SharedArrayBuffer(1, { maxByteLength: 2 })));
  return !restsTell || hasRestWithoutLength(view as Uint8Array);
}

let restsTell: boolean | undefined;

function hasRestWithoutLength(view: Uint8Array): boolean {
  let given = 0;
  // Whatever makes the rest is asked of the view.
  const maker = {
    [Symbol.species]: function rest(...args: unknown[]): Uint8Array {
      given = args.length;
      return view;
    },
  };
  const own = Object.getOwnPropertyDescriptor(view, "constructor");
  if (!Reflect.defineProperty(view, "constructor", { value: maker, configurable: true })) return true;
  try {
    Uint8Array.prototype.subarray.call(view, 0);
  } finally {
    if (own === undefined) Reflect.deleteProperty(view, "constructor");
    else Object.defineProperty(view, "constructor", own);
  }
  return given === 2;
}
