/**
 * The buffers of a value while it is written. Their bytes are taken at the end, when it is known which are under several
 * views: of these all, of the others only the bytes under the one view.
 */
import { bufferOf, byteLengthOf, isPooled, offsetOf } from "../views.js";
import { isShared } from "./kinds.js";

interface Entry {
  readonly buffer: ArrayBufferLike;
  start: number;
  end: number;
  readonly most: number;
}

export class Buffers {
  readonly entries: Entry[] = [];
  readonly #numbers = new Map<ArrayBufferLike, number>();
  readonly #refusesShared: boolean;
  /** Bytes that they take. */
  bytes = 0;

  constructor(refusesShared: boolean) {
    this.#refusesShared = refusesShared;
  }

  /** @returns the number of a buffer that is written as a whole. @throws DataCloneError for one that is detached */
  addWhole(buffer: ArrayBuffer): number {
    try {
      new Uint8Array(buffer);
    } catch {
      throw new DOMException("An ArrayBuffer is detached and could not be cloned.", "DataCloneError");
    }
    const number = this.#numbers.get(buffer);
    return number === undefined ? this.#add(buffer, 0, buffer.byteLength, true) : this.#widen(number);
  }

  /** @returns the number of the buffer that a view is on. @throws DataCloneError, TypeError for a view of nothing */
  addUnder(view: ArrayBufferView): number {
    const start = offsetOf(view);
    const end = start + byteLengthOf(view);
    const buffer = bufferOf(view);
    if (isShared(buffer)) {
      if (this.#refusesShared) {
        const message = "memory that is shared between threads stays on its machine; pass a copy of it";
        throw new DOMException(message, "DataCloneError");
      }
      return this.#add(buffer, start, end, false);
    }
    if (buffer.resizable) return this.addWhole(buffer);
    const number = this.#numbers.get(buffer);
    return number === undefined ? this.#add(buffer, start, end, !isPooled(view)) : this.#widen(number);
  }

  #add(buffer: ArrayBufferLike, start: number, end: number, mayReturn: boolean): number {
    const number = this.entries.length;
    const most = !isShared(buffer) && buffer.resizable ? buffer.maxByteLength : -1;
    this.entries.push({ buffer, start, end, most });
    if (mayReturn) this.#numbers.set(buffer, number);
    this.bytes += end - start;
    return number;
  }

  /** A buffer is met again, so that all of it is written. */
  #widen(number: number): number {
    const entry = this.entries[number];
    this.bytes += entry.buffer.byteLength - (entry.end - entry.start);
    entry.start = 0;
    entry.end = entry.buffer.byteLength;
    return number;
  }
}
