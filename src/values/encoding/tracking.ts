/** Whether a view on a resizable ArrayBuffer tracks its length: the language does not say, so the buffer is resized for a moment. */
import { bufferOf, byteLengthOf, elementSize, offsetOf, viewType } from "../views.js";

/** @param view one that is within its buffer */
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
