/**
 * The structured clone algorithm by the runtime's own serialiser (V8's), so that nothing is silently changed or left out. What
 * that serialiser cannot write, it hands to us as views: views on shared memory inside a value go by reference, and so do host
 * objects (see `spine.ts`).
 */

import { LARGEST_PAYLOAD } from "../memory/payloads.js";
import { type Serializers, serializers } from "../platform/host.js";
import { isResizable, isShared, plainView, viewLength } from "./boxes.js";
import { exceptionOf, isCarried, isDOMException, reasonAgainstHost } from "./natures.js";
import { NoRoom, TooLarge } from "./room.js";
import type { ObjectNumbers, SharedObject } from "./shared-objects.js";
import { Spine } from "./spine.js";
import { isPlain, survey } from "./survey.js";
import { isPooled, makeView, viewType } from "./views.js";

/** What the serialiser hands to us: the bytes under a view, … */
const COPIED_VIEW = 0;
/** … a view on shared memory, by number, … */
const SHARED_VIEW = 1;
/** … a view on a buffer that others share with it, or that may be resized, which is written as a whole, … */
const WHOLE_VIEW = 2;
/** … a host object, by number, … */
const HOST_OBJECT = 3;
/** … or the parts of a DOMException. */
const EXCEPTION = 4;

const NONE: ReadonlySet<object> = new Set();

/** Undefined where the runtime has no such serialiser. */
const classes = serializers === undefined ? undefined : extended(serializers);

/** Whether the runtime has such a serialiser. */
export const isThere = classes !== undefined;

/** @throws whatever the serialiser throws when a part cannot be cloned; TooLarge */
export function serialize(value: unknown, objects: ObjectNumbers | undefined): Uint8Array {
  if (typeof value !== "object" || value === null || looksPlain(value)) return write(value, objects, NONE);
  let { repeated, odd } = survey(value);
  if (!odd) return write(value, objects, repeated);
  const spine = new Spine(objects?.ports === true);
  const copy = spine.copy(value) as object;
  // With what getters have given.
  repeated = survey(copy).repeated;
  return write(copy, objects, repeated, spine.hosts);
}

/** @param again whether somebody will read the bytes once more: then their shared objects stay on their way */
export function deserialize(bytes: Uint8Array, objects: ObjectNumbers | undefined, again: boolean): unknown {
  const deserializer = new classes!.SharingDeserializer(bytes, objects, again);
  deserializer.readHeader();
  return deserializer.readValue();
}

function write(
  value: unknown,
  objects: ObjectNumbers | undefined,
  repeated: ReadonlySet<object>,
  hosts?: ReadonlyMap<object, object>,
): Uint8Array {
  const serializer = new classes!.SharingSerializer(objects, repeated, hosts);
  try {
    serializer.writeHeader();
    serializer.writeValue(value);
    return serializer.releaseBuffer();
  } catch (error) {
    for (const number of serializer.departed ?? []) objects?.end(number);
    throw error;
  }
}

function looksPlain(value: object): boolean {
  try {
    return isPlain(value);
  } catch {
    // A proxy, which the serialiser refuses.
    return false;
  }
}

function extended({ Serializer, Deserializer }: Serializers) {
  class SharingSerializer extends Serializer {
    /** The numbers of what has departed with the value, if anything. */
    departed: number[] | undefined;
    readonly #objects: ObjectNumbers | undefined;
    readonly #repeated: ReadonlySet<object>;
    readonly #hosts: ReadonlyMap<object, object> | undefined;

    /**
     * @param repeated buffers that are in the value more than once
     * @param hosts the host objects that views in the value stand for
     */
    constructor(
      objects: ObjectNumbers | undefined,
      repeated: ReadonlySet<object>,
      hosts?: ReadonlyMap<object, object>,
    ) {
      super();
      this.#objects = objects;
      this.#repeated = repeated;
      this.#hosts = hosts;
      (
        this as unknown as { _setTreatArrayBufferViewsAsHostObjects(on: boolean): void }
      )._setTreatArrayBufferViewsAsHostObjects(true);
    }

    /** Called by the serialiser for every view, and for host objects that are not made in JavaScript. */
    _writeHostObject(object: object): void {
      const host = this.#hosts?.get(object);
      if (host !== undefined) this.#writeHost(host);
      else if (ArrayBuffer.isView(object)) this.#writeView(object);
      else if (this.#objects?.ports && isCarried(object)) this.#writeHost(object);
      else throw this._getDataCloneError(reasonAgainstHost(object));
    }

    #writeHost(host: object): void {
      if (isDOMException(host)) {
        this.writeUint32(EXCEPTION);
        this.writeValue([host.name, host.message, host.stack]);
      } else {
        this.writeUint32(HOST_OBJECT);
        this.#depart(host);
      }
    }

    #writeView(given: ArrayBufferView): void {
      const view = plainView(given);
      const { buffer } = view;
      if (isShared(buffer) && this.#objects !== undefined) {
        this.#begin(SHARED_VIEW, view);
        this.#depart(buffer);
        this.#writeExtent(view);
      } else if (!isShared(buffer) && (isResizable(buffer) || (this.#repeated.has(buffer) && !isPooled(given)))) {
        this.#begin(WHOLE_VIEW, view);
        this.#writeExtent(view);
        this.writeValue(buffer);
      } else {
        if (view.byteLength > LARGEST_PAYLOAD) throw new TooLarge(view.byteLength);
        this.#begin(COPIED_VIEW, view);
        this.writeUint32(view.byteLength);
        this.writeRawBytes(new Uint8Array(buffer, view.byteOffset, view.byteLength));
      }
    }

    #begin(kind: number, view: ArrayBufferView): void {
      this.writeUint32(kind);
      this.writeUint32(viewType(view));
    }

    #writeExtent(view: ArrayBufferView): void {
      this.writeDouble(view.byteOffset);
      this.writeDouble(viewLength(view));
    }

    #depart(object: SharedObject): void {
      const number = this.#objects?.depart(object) ?? 0;
      if (number === 0) throw new NoRoom();
      this.departed ??= [];
      this.departed.push(number);
      this.writeUint32(number);
    }

    /** Called by the serialiser to make the error for what cannot be cloned. */
    _getDataCloneError(message: string): Error {
      return new DOMException(message, "DataCloneError");
    }
  }

  class SharingDeserializer extends Deserializer {
    readonly #objects: ObjectNumbers | undefined;
    readonly #again: boolean;

    constructor(bytes: Uint8Array, objects: ObjectNumbers | undefined, again: boolean) {
      super(bytes);
      this.#objects = objects;
      this.#again = again;
    }

    _readHostObject(): object {
      const kind = this.readUint32();
      if (kind === HOST_OBJECT) return this.#arrive();
      if (kind === EXCEPTION) {
        const [name, message, stack] = this.readValue() as [string, string, string];
        return exceptionOf(name, message, stack);
      }
      const type = this.readUint32();
      if (kind === SHARED_VIEW) {
        const buffer = this.#arrive() as SharedArrayBuffer;
        return makeView(type, buffer, this.readDouble(), this.readDouble());
      }
      if (kind === WHOLE_VIEW) {
        const offset = this.readDouble();
        const length = this.readDouble();
        return makeView(type, this.readValue() as ArrayBuffer, offset, length);
      }
      const bytes = this.readRawBytes(this.readUint32());
      const copy = new Uint8Array(bytes);
      const whole = makeView(type, copy.buffer, 0, 0) as Uint8Array;
      return makeView(type, copy.buffer, 0, copy.byteLength / (whole.BYTES_PER_ELEMENT ?? 1));
    }

    #arrive(): SharedObject {
      const number = this.readUint32();
      return (this.#again ? this.#objects?.find(number) : this.#objects?.arrive(number)) as SharedObject;
    }
  }

  return { SharingSerializer, SharingDeserializer };
}
