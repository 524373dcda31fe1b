/**
 * Structured clones in shared memory: made by the runtime's own serialiser where it has one, as that is faster for objects, else
 * in heddle's own encoding.
 */
import { LARGEST_PAYLOAD } from "../memory/payloads.js";
import * as engine from "./clone-by-engine.js";
import { decode } from "./encoding/reader.js";
import { encode } from "./encoding/writer.js";
import type { Serializer } from "./serializer.js";
import type { ObjectNumbers } from "./shared-objects.js";

/** Makes bytes of values and values of bytes. */
export class Cloner implements Serializer {
  readonly #objects: ObjectNumbers | undefined;
  readonly #byEngine: boolean;

  /**
   * @param objects how views on shared memory go by reference; without it they are copied
   * @param byEngine whether the runtime's own serialiser is used, if it has one
   */
  constructor(objects?: ObjectNumbers, byEngine = true) {
    this.#objects = objects;
    this.#byEngine = byEngine && engine.isThere;
  }

  /** @throws DataCloneError (a DOMException) and others, when a part cannot be cloned; TooLarge */
  serialize(value: unknown): Uint8Array {
    if (this.#byEngine) return engine.serialize(value, this.#objects);
    return encode(value, { maxBytes: LARGEST_PAYLOAD, numbers: this.#objects });
  }

  /** @param again whether somebody will read the bytes once more: then their shared objects stay on their way */
  deserialize(bytes: Uint8Array, again = false): unknown {
    if (this.#byEngine) return engine.deserialize(bytes, this.#objects, again);
    // A copy that is not shared, as some runtimes decode no text in shared memory.
    return decode(
      bytes.slice(),
      this.#objects && (again ? this.#objects.find : this.#objects.arrive).bind(this.#objects),
    );
  }
}
