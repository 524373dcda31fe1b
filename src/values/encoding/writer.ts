/** Writes values as format.ts says: what structuredClone copies, and besides an AggregateError's errors and DOMExceptions. */
import { types } from "../../platform/host.js";
import { viewLength } from "../boxes.js";
import { describe } from "../describe.js";
import { hostName, isCarried, isDOMException, reasonAgainstHost } from "../natures.js";
import { NoRoom, TooLarge } from "../room.js";
import type { ObjectNumbers } from "../shared-objects.js";
import { bufferOf, byteLengthOf, elementSize, offsetOf, viewType } from "../views.js";
import { Buffers } from "./buffers.js";
import * as format from "./format.js";
import * as kinds from "./kinds.js";
import { isTracking } from "./tracking.js";

/** How a value is written. */
export interface EncodeOptions {
  /** Writing stops when there are more bytes. By default there is no limit. */
  readonly maxBytes?: number;
  /** Whether views on memory that is shared between threads are refused, not copied. By default they are copied. */
  readonly refuseShared?: boolean;
  /** What gives numbers to that memory, and to objects of the runtime, which then go by reference, to threads of this process only. */
  readonly numbers?: ObjectNumbers;
}

/**
 * A value as bytes, which `decode` makes a copy of on any machine.
 *
 * @returns the bytes
 * @throws DataCloneError (a DOMException) for what cannot be copied, such as a function; TooLarge; RangeError when the stack does not
 * suffice; TypeError for a view of nothing; and whatever getters throw
 * @example
 * const bytes = encode({ since: new Date(), counts: new Float64Array(8) });
 */
export function encode(value: unknown, options: EncodeOptions = {}): Uint8Array {
  const { maxBytes = Infinity, refuseShared = false, numbers } = options;
  // A getter may come here again.
  const scratch = spare ?? new ArrayBuffer(SCRATCH);
  spare = undefined;
  const writer = new Writer(scratch, maxBytes, refuseShared, numbers);
  try {
    writer.write(value);
    return writer.finish();
  } catch (error) {
    for (const number of writer.departed) numbers?.end(number);
    throw error;
  } finally {
    spare = writer.scratch;
  }
}

/** Bytes to write into at first, and the most that are kept for the next time. */
const SCRATCH = 2 ** 16;
const LARGEST_SPARE = 2 ** 22;
let spare: ArrayBuffer | undefined;

/** The most bytes of a tag and two numbers, of which there is always room for. */
const SLACK = 32;
/** Where the value begins when there are no buffers. */
const VALUE_AT = 3;
const LONGEST_SHORT = 63;
const utf8 = new TextEncoder();
const hasOwn = Object.prototype.hasOwnProperty;

class Writer {
  /** What it has written into, for the next one. */
  scratch: ArrayBuffer;
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  readonly #most: number;
  /** The numbers of objects, and of keys. */
  readonly #objects = new Map<object, number>();
  readonly #keys = new Map<string, number>();
  readonly #buffers: Buffers;
  readonly #numbers: ObjectNumbers | undefined;
  /** The numbers of what has departed with the value. */
  readonly departed: number[] = [];

  constructor(scratch: ArrayBuffer, most: number, refuseShared: boolean, numbers: ObjectNumbers | undefined) {
    this.scratch = scratch;
    this.#bytes = new Uint8Array(scratch);
    this.#view = new DataView(scratch);
    this.#most = most;
    this.#buffers = new Buffers(refuseShared);
    this.#numbers = numbers;
    this.#begin(0);
  }

  /** The bytes of what was written. */
  finish(): Uint8Array {
    this.#checkSize();
    const { entries, bytes } = this.#buffers;
    if (entries.length === 0) return this.#bytes.slice(0, this.#at);
    const value = this.#bytes.subarray(VALUE_AT, this.#at);
    // The buffers come first, so that views can be made of them as they are read.
    this.#bytes = new Uint8Array((entries.length + 1) * SLACK + bytes + value.length);
    this.#at = 0;
    this.#begin(entries.length);
    for (const { buffer, start, end, most } of entries) {
      this.#varint(start);
      this.#varint(end - start);
      this.#varint(most + 1);
      // Throws when a getter has detached it or made it smaller.
      this.#raw(new Uint8Array(buffer, start, end - start));
    }
    this.#raw(value);
    if (this.#at > this.#most) throw new TooLarge(this.#at);
    return this.#bytes.subarray(0, this.#at);
  }

  write(value: unknown): void {
    if (typeof value === "object" && value !== null) this.#object(value);
    else this.#primitive(value);
  }

  #primitive(value: unknown): void {
    this.#reserve(SLACK);
    if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") this.#text(value);
    else if (typeof value === "bigint") {
      this.#tag(format.BIGINT);
      this.#text(value.toString(16));
    } else if (value === undefined) this.#tag(format.UNDEFINED);
    else if (value === null) this.#tag(format.NULL);
    else if (typeof value === "boolean") this.#tag(value ? format.TRUE : format.FALSE);
    else throw refusal(describe(value));
  }

  #begin(buffers: number): void {
    this.#tag(format.MAGIC);
    this.#tag(format.VERSION);
    this.#varint(buffers);
  }

  #number(value: number): void {
    const isWhole = (value | 0) === value && (value !== 0 || 1 / value > 0);
    if (!isWhole) {
      this.#tag(format.DOUBLE);
      this.#double(value);
    } else if (value >= 0 && value < format.SMALL) this.#tag(format.SMALL + value);
    else {
      this.#tag(format.WHOLE);
      this.#varint(value >= 0 ? value * 2 : -2 * value - 1);
    }
  }

  #text(value: string): void {
    const { length } = value;
    this.#reserve(SLACK + length);
    if (length <= LONGEST_SHORT) {
      const bytes = this.#bytes;
      const start = this.#at + 1;
      let k = 0;
      for (; k < length; k++) {
        const unit = value.charCodeAt(k);
        if (unit > 0x7f) break;
        bytes[start + k] = unit;
      }
      if (k === length) {
        this.#tag(format.SHORT_TEXT + length);
        this.#at += length;
        return;
      }
    } else if (this.#isAscii(value)) return;
    if (value.isWellFormed()) {
      const bytes = utf8.encode(value);
      this.#tag(format.TEXT);
      this.#varint(bytes.length);
      this.#raw(bytes);
      return;
    }
    this.#reserve(SLACK + 2 * length);
    this.#tag(format.CODE_UNITS);
    this.#varint(length);
    for (let k = 0; k < length; k++, this.#at += 2) this.#view.setUint16(this.#at, value.charCodeAt(k), true);
  }

  /** Writes a long text if it is of ASCII, as most are. */
  #isAscii(value: string): boolean {
    const start = this.#at;
    this.#tag(format.TEXT);
    this.#varint(value.length);
    const { read, written } = utf8.encodeInto(value, this.#bytes.subarray(this.#at, this.#at + value.length));
    if (read === value.length && written === value.length) {
      this.#at += written;
      return true;
    }
    this.#at = start;
    return false;
  }

  #object(value: object): void {
    this.#reserve(SLACK);
    const number = this.#objects.get(value);
    if (number !== undefined) {
      this.#tag(format.REFERENCE);
      this.#varint(number);
      return;
    }
    this.#objects.set(value, this.#objects.size);
    switch (kinds.kindOf(value)) {
      case kinds.PLAIN:
        this.#tag(format.OBJECT);
        this.#properties(value);
        break;
      case kinds.ARRAY:
        this.#array(value as unknown[]);
        break;
      case kinds.MAP:
        this.#map(value as Map<unknown, unknown>);
        break;
      case kinds.SET:
        this.#set(value as Set<unknown>);
        break;
      case kinds.ARRAY_VIEW:
        this.#arrayView(value as ArrayBufferView);
        break;
      case kinds.ERROR:
        this.#error(value as Error);
        break;
      case kinds.DATE:
        this.#tag(format.DATE);
        this.#double(Date.prototype.getTime.call(value));
        break;
      case kinds.REGEXP:
        this.#expression(value as RegExp);
        break;
      case kinds.BOXED:
        this.#tag(format.BOXED);
        this.write(unboxed(value));
        break;
      case kinds.ARRAY_BUFFER:
        this.#tag(format.BUFFER);
        this.#varint(this.#buffers.addWhole(value as ArrayBuffer));
        this.#checkSize();
        break;
      case kinds.OF_HOST:
        this.#host(value);
        break;
      default:
        throw refusal(types.isProxy(value) ? "#<Object>" : nameOf(value));
    }
  }

  #properties(value: object): void {
    // This is the fast way in V8 to go through an object's own properties. What a getter removes is not met.
    for (const key in value) this.#property(value, key);
    this.#reserve(SLACK);
    this.#tag(format.NO_KEY);
  }

  #property(value: object, key: string): void {
    if (!hasOwn.call(value, key)) return;
    const part = (value as Record<string, unknown>)[key];
    this.#key(key);
    this.write(part);
  }

  #key(key: string): void {
    this.#reserve(SLACK);
    const number = this.#keys.get(key);
    if (number === undefined) {
      this.#keys.set(key, this.#keys.size);
      this.#tag(format.NEW_KEY);
      this.#text(key);
    } else this.#varint(format.FIRST_KEY + number);
  }

  #array(value: readonly unknown[]): void {
    const { length } = value;
    // Those of elements come first.
    const keys = Object.keys(value);
    const isFull = length === 0 || keys[length - 1] === String(length - 1);
    if (!isFull) {
      this.#tag(format.SPARSE_LIST);
      this.#varint(length);
      this.#propertiesOf(value, keys);
      return;
    }
    const hasMore = keys.length > length;
    this.#tag(hasMore ? format.LIST_AND_PROPERTIES : format.LIST);
    this.#varint(length);
    for (let k = 0; k < length; k++) {
      const part = value[k];
      if (part === undefined && !hasOwn.call(value, k)) {
        this.#reserve(SLACK);
        this.#tag(format.HOLE);
      } else this.write(part);
    }
    if (hasMore) this.#propertiesOf(value, keys.slice(length));
  }

  #propertiesOf(value: object, keys: readonly string[]): void {
    for (const key of keys) this.#property(value, key);
    this.#reserve(SLACK);
    this.#tag(format.NO_KEY);
  }

  #map(value: Map<unknown, unknown>): void {
    const parts: unknown[] = [];
    Map.prototype.forEach.call(value, (part, key) => parts.push(key, part));
    this.#tag(format.MAP);
    this.#varint(parts.length / 2);
    for (const part of parts) this.write(part);
  }

  #set(value: Set<unknown>): void {
    const parts: unknown[] = [];
    Set.prototype.forEach.call(value, (part) => parts.push(part));
    this.#tag(format.SET);
    this.#varint(parts.length);
    for (const part of parts) this.write(part);
  }

  #arrayView(value: ArrayBufferView): void {
    const type = viewType(value);
    const buffer = bufferOf(value);
    if (this.#numbers !== undefined && kinds.isShared(buffer)) {
      const length = viewLength(value);
      const offset = offsetOf(value);
      this.#tag(format.SHARED_VIEW);
      this.#tag(type);
      this.#depart(buffer);
      this.#varint(offset);
      this.#varint(length + 1);
      return;
    }
    const number = this.#buffers.addUnder(value);
    const length = isTracking(value) ? 0 : byteLengthOf(value) / elementSize(type) + 1;
    this.#tag(format.VIEW);
    this.#tag(type);
    this.#varint(number);
    this.#varint(offsetOf(value));
    this.#varint(length);
    this.#checkSize();
  }

  #expression(value: RegExp): void {
    // Reads the source and the flags that it was made with, whatever properties it has.
    const { source, flags } = new RegExp(value);
    this.#tag(format.REGEXP);
    this.#text(source);
    this.#text(flags);
  }

  #error(value: Error): void {
    const name = `${value.name}`;
    const given = dataOf(value, "message");
    const message = given && `${given.value}`;
    const { stack } = value;
    // A getter's, too: structuredClone would leave it out.
    const cause = Object.hasOwn(value, "cause") ? { value: value.cause } : undefined;
    const errors = name === "AggregateError" ? dataOf(value, "errors") : undefined;
    const isKnown = name !== "AggregateError" || errors !== undefined;
    this.#tag(format.ERROR);
    this.#tag(isKnown ? Math.max(0, format.ERRORS.indexOf(name)) : 0);
    this.#tag(
      (message === undefined ? 0 : format.WITH_MESSAGE) |
        (typeof stack === "string" ? format.WITH_STACK : 0) |
        (cause === undefined ? 0 : format.WITH_CAUSE) |
        (errors === undefined ? 0 : format.WITH_ERRORS),
    );
    if (message !== undefined) this.#text(message);
    if (typeof stack === "string") this.#text(stack);
    if (cause !== undefined) this.write(cause.value);
    if (errors !== undefined) this.write(errors.value);
  }

  /** Writes the number of what goes by reference. */
  #depart(object: object): void {
    const number = this.#numbers?.depart(object) ?? 0;
    if (number === 0) throw new NoRoom();
    this.departed.push(number);
    this.#varint(number);
  }

  #host(value: object): void {
    if (isDOMException(value)) {
      this.#tag(format.EXCEPTION);
      this.#text(value.name);
      this.#text(value.message);
      this.write(typeof value.stack === "string" ? value.stack : undefined);
    } else if (this.#numbers?.ports && isCarried(value)) {
      this.#tag(format.HOST_OBJECT);
      this.#depart(value);
    } else throw new DOMException(reasonAgainstHost(value), "DataCloneError");
  }

  #tag(byte: number): void {
    this.#bytes[this.#at++] = byte;
  }

  /** @param value up to 2^53 */
  #varint(value: number): void {
    for (; value > 0x7f; value = value > 0x7fffffff ? Math.floor(value / 128) : value >>> 7) {
      this.#bytes[this.#at++] = 0x80 | (value % 128);
    }
    this.#bytes[this.#at++] = value;
  }

  #double(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    this.#checkSize(bytes - SLACK);
    const before = this.#bytes.subarray(0, this.#at);
    const larger = new ArrayBuffer(2 * this.#bytes.length + bytes);
    this.#bytes = new Uint8Array(larger);
    this.#view = new DataView(larger);
    this.#bytes.set(before);
    if (larger.byteLength <= LARGEST_SPARE) this.scratch = larger;
  }

  /** @param ahead how many bytes more will be written at the least */
  #checkSize(ahead = 0): void {
    // What the user can see, where that is too much by itself.
    if (this.#buffers.bytes > this.#most) throw new TooLarge(this.#buffers.bytes);
    const bytes = this.#at + this.#buffers.bytes + ahead;
    if (bytes > this.#most) throw new TooLarge(bytes);
  }
}

/** What an object is around. */
function unboxed(value: object): unknown {
  for (const { prototype } of [Boolean, Number, String, BigInt] as { prototype: object }[]) {
    try {
      return prototype.valueOf.call(value);
    } catch {
      // It is of another class.
    }
  }
}

/** A property of its own that is no getter. */
function dataOf(value: object, key: string): { readonly value?: unknown } | undefined {
  const property = Object.getOwnPropertyDescriptor(value, key);
  return property !== undefined && "value" in property ? property : undefined;
}

/** As V8 names what cannot be cloned. */
function nameOf(value: object): string {
  const tag: string = Object.prototype.toString.call(value);
  // Of an iterator or a module, the class would be Object.
  return /Iterator|Generator|Module|Symbol/.test(tag) ? tag : `#<${hostName(value)}>`;
}

function refusal(what: string): DOMException {
  return new DOMException(`${what} could not be cloned.`, "DataCloneError");
}
