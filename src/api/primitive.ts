/**
 * What is all in a shared buffer of its own, so that it goes by reference from thread to thread: channels and
 * wait groups. As the buffer is an ordinary property, structured clone refuses a primitive inside another value
 * instead of making an empty object of it.
 */
import { KIND } from "../memory/primitives.js";

export abstract class Primitive {
  /** The shared memory that it is in. Given to the constructor on another thread, it makes the same thing there. */
  readonly buffer: SharedArrayBuffer;

  /**
   * @param kind what the buffer's first word must say
   * @throws TypeError when it is another buffer
   */
  constructor(buffer: SharedArrayBuffer, kind: number) {
    if (buffer.byteLength % 4 !== 0 || new Int32Array(buffer)[KIND] !== kind) {
      throw new TypeError(`buffer must be the buffer of a ${this[Symbol.toStringTag]}, and is another`);
    }
    this.buffer = buffer;
  }

  /** What it is called in messages. */
  abstract get [Symbol.toStringTag](): string;
}
