/** Primitives as jobs' arguments and results: their buffer crosses threads, and they are made anew on it. */
import { KIND, KIND_CHANNEL } from "../memory/primitives.js";
import { isInstance } from "../values/describe.js";
import { Channel } from "./channel.js";
import { Primitive } from "./primitive.js";
import { WaitGroup } from "./wait-group.js";

/** This thread's primitives by their buffers, so that one that comes back is the same object. */
const known = new WeakMap<SharedArrayBuffer, Primitive>();

/** The buffer of a primitive that is about to go to another thread; undefined if `value` is none. */
export function bufferOf(value: object): SharedArrayBuffer | undefined {
  if (!isInstance(value, Primitive)) return undefined;
  if (!known.has(value.buffer)) known.set(value.buffer, value);
  return value.buffer;
}

/** The primitive on a buffer that has come from another thread. */
export function primitiveOn(buffer: SharedArrayBuffer): Primitive {
  let primitive = known.get(buffer);
  if (primitive === undefined) {
    const isChannel = new Int32Array(buffer)[KIND] === KIND_CHANNEL;
    primitive = isChannel ? new Channel(buffer) : new WaitGroup(buffer);
    known.set(buffer, primitive);
  }
  return primitive;
}
