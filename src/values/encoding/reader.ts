/** Reads what writer.ts has written. Nothing is trusted: damaged bytes end in an error, and make nothing larger than they are. */
import { isTooDeep } from "../describe.js";
import { exceptionOf } from "../natures.js";
import { NewerFormatError } from "../newer-format.js";
import { NotHere } from "../not-here.js";
import { makeView, TRACKING, VIEWS } from "../views.js";
import { withoutStacks } from "../without-stacks.js";
import * as format from "./format.js";

/** Bytes are not what `encode` has written: some are missing, or were changed. */
export class DamagedValueError extends Error {
  override readonly name: string = "DamagedValueError";
}

/**
 * The value that `encode` made bytes of.
 *
 * @param arrive gives what went by reference for its number
 * @throws NewerFormatError; DamagedValueError; RangeError when it is nested too deeply for the stack of this thread; TypeError when it
 * holds what this runtime does not have, such as a Float16Array
 * @example
 * const copy = decode(encode(new Map([["a", 1n]])));
 */
export function decode(bytes: Uint8Array, arrive?: (number: number) => object): unknown {
  if (bytes[0] !== format.MAGIC) throw damaged("they do not begin as values do");
  if (bytes[1] > format.VERSION) {
    throw new NewerFormatError(
      `a newer heddle wrote this value, in version ${bytes[1]} of its format; this one reads versions up to ${format.VERSION}: update heddle here`,
    );
  }
  try {
    return new Reader(bytes, arrive).readAll();
  } catch (error) {
    if (isTooDeep(error)) {
      throw new RangeError(
        "the value is nested too deeply to be read on this thread, whose call stack is too small for it",
        {
          cause: error,
        },
      );
    }
    if (error instanceof DamagedValueError || error instanceof MissingHere || error instanceof NotHere) throw error;
    throw damaged("they make no value", error);
  }
}

class MissingHere extends TypeError {}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Up to this length of a text, it takes longer to call the decoder. */
const LONGEST_BY_HAND = 16;
/** Up to this length a list may have its elements at once. */
const LONGEST_EMPTY = 2 ** 16;

const CONSTRUCTORS = format.ERRORS.map((name) => (globalThis as Record<string, unknown>)[name] as ErrorConstructor);

interface Buffered {
  readonly buffer: ArrayBuffer;
  /** Where its bytes began in the buffer that was written. */
  readonly start: number;
  /** What comes into it at the end. */
  readonly bytes: Uint8Array;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 2;
  readonly #objects: object[] = [];
  readonly #keys: string[] = [];
  readonly #buffers: Buffered[] = [];

  readonly #arrive: ((number: number) => object) | undefined;

  constructor(bytes: Uint8Array, arrive: ((number: number) => object) | undefined) {
    this.#arrive = arrive;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  readAll(): unknown {
    for (let left = this.#varint(); left > 0; left--) this.#buffers.push(this.#buffer());
    const value = this.#read();
    for (const { buffer, bytes } of this.#buffers) new Uint8Array(buffer).set(bytes);
    if (this.#at !== this.#bytes.length) throw damaged("there are more than the value takes");
    return value;
  }

  #buffer(): Buffered {
    const start = this.#varint();
    const length = this.#varint();
    const most = this.#varint() - 1;
    const bytes = this.#raw(length);
    const buffer = most < 0 ? new ArrayBuffer(length) : new ArrayBuffer(length, { maxByteLength: most });
    return { buffer, start, bytes };
  }

  #read(): unknown {
    const tag = this.#byte();
    if (tag >= format.SMALL) return tag - format.SMALL;
    if (tag >= format.SHORT_TEXT) return this.#ascii(tag - format.SHORT_TEXT);
    switch (tag) {
      case format.UNDEFINED:
        return undefined;
      case format.NULL:
        return null;
      case format.FALSE:
        return false;
      case format.TRUE:
        return true;
      case format.WHOLE: {
        const value = this.#varint();
        return value % 2 === 0 ? value / 2 : (value + 1) / -2;
      }
      case format.DOUBLE:
        return this.#double();
      case format.BIGINT:
        return this.#bigint();
      case format.TEXT:
        return utf8.decode(this.#raw(this.#varint()));
      case format.CODE_UNITS:
        return this.#codeUnits();
      case format.REFERENCE:
        return this.#objects[this.#within(this.#varint(), this.#objects.length)];
      case format.OBJECT:
        return this.#properties(this.#met({}));
      case format.LIST:
        return this.#list();
      case format.LIST_AND_PROPERTIES:
        return this.#properties(this.#list());
      case format.SPARSE_LIST:
        return this.#sparseList();
      case format.MAP:
        return this.#map();
      case format.SET:
        return this.#set();
      case format.DATE:
        return this.#met(new Date(this.#double()));
      case format.REGEXP:
        return this.#expression();
      case format.BOXED:
        return this.#boxed();
      case format.ERROR:
        return this.#error();
      case format.EXCEPTION:
        return this.#exception();
      case format.BUFFER:
        return this.#met(this.#bufferAt(this.#varint()).buffer);
      case format.VIEW:
        return this.#arrayView();
      case format.SHARED_VIEW:
        return this.#sharedView();
      case format.HOST_OBJECT:
        return this.#met(this.#arrived());
      default:
        throw damaged(`there is no tag ${tag}`);
    }
  }

  /** Objects are numbered before what is in them is read. */
  #met<T extends object>(object: T): T {
    this.#objects.push(object);
    return object;
  }

  #properties<T extends object>(object: T): T {
    for (let key = this.#varint(); key !== format.NO_KEY; key = this.#varint()) {
      const name =
        key === format.NEW_KEY ? this.#newKey() : this.#keys[this.#within(key - format.FIRST_KEY, this.#keys.length)];
      // Not to be the prototype.
      if (name === "__proto__") define(object, name, this.#read(), true);
      else (object as Record<string, unknown>)[name] = this.#read();
    }
    return object;
  }

  #newKey(): string {
    const key = this.#text();
    this.#keys.push(key);
    return key;
  }

  #list(): unknown[] {
    const length = this.#varint();
    const list: unknown[] = this.#met([]);
    for (let k = 0; k < length; k++) {
      if (this.#bytes[this.#at] === format.HOLE) {
        this.#at++;
        list.length++;
      } else list.push(this.#read());
    }
    return list;
  }

  #sparseList(): unknown[] {
    const length = this.#varint();
    const list: unknown[] = this.#met([]);
    if (length > LONGEST_EMPTY) {
      // Makes V8 keep what there is, not room for so many.
      list[length - 1] = undefined;
      delete list[length - 1];
    } else list.length = length;
    return this.#properties(list);
  }

  #map(): Map<unknown, unknown> {
    const map = this.#met(new Map<unknown, unknown>());
    for (let left = this.#varint(); left > 0; left--) {
      const key = this.#read();
      map.set(key, this.#read());
    }
    return map;
  }

  #set(): Set<unknown> {
    const set = this.#met(new Set<unknown>());
    for (let left = this.#varint(); left > 0; left--) set.add(this.#read());
    return set;
  }

  #expression(): RegExp {
    const source = this.#text();
    const flags = this.#text();
    try {
      return this.#met(new RegExp(source, flags));
    } catch (error) {
      throw new MissingHere(`this runtime cannot make the regular expression /${source}/${flags}; update it`, {
        cause: error,
      });
    }
  }

  #boxed(): object {
    const number = this.#objects.push({}) - 1;
    const value: unknown = this.#read();
    if (typeof value === "object") throw damaged("an object is around an object");
    this.#objects[number] = Object(value);
    return this.#objects[number];
  }

  #error(): Error {
    const type = this.#within(this.#byte(), CONSTRUCTORS.length);
    const parts = this.#byte();
    const message = parts & format.WITH_MESSAGE ? this.#text() : undefined;
    const stack = parts & format.WITH_STACK ? this.#text() : undefined;
    const error = this.#met(emptyError(type, message));
    define(error, "stack", stack);
    if (parts & format.WITH_CAUSE) define(error, "cause", this.#read());
    if (parts & format.WITH_ERRORS) define(error, "errors", this.#read());
    return error;
  }

  #exception(): DOMException {
    const number = this.#objects.push({}) - 1;
    const name = this.#text();
    const message = this.#text();
    const exception = withoutStacks(() => exceptionOf(name, message, this.#read()));
    this.#objects[number] = exception;
    return exception;
  }

  #arrayView(): ArrayBufferView {
    const type = this.#byte();
    const { buffer, start } = this.#bufferAt(this.#varint());
    const offset = this.#varint() - start;
    const length = this.#varint();
    if (VIEWS[type] === undefined) {
      throw new MissingHere(
        "the value holds an array of a type that this runtime does not have, such as Float16Array; update it",
      );
    }
    if (length > 0) return this.#met(makeView(type, buffer, offset, length - 1));
    const { byteLength } = buffer;
    // Node 20 makes no view that tracks a length that is no multiple of its elements'.
    buffer.resize(offset);
    const view = makeView(type, buffer, offset, TRACKING);
    buffer.resize(byteLength);
    return this.#met(view);
  }

  #sharedView(): ArrayBufferView {
    const type = this.#byte();
    const memory = this.#arrived() as SharedArrayBuffer;
    const offset = this.#varint();
    return this.#met(makeView(type, memory, offset, this.#varint() - 1));
  }

  /** What went by reference. */
  #arrived(): object {
    if (this.#arrive === undefined) throw damaged("they refer to memory of another process");
    return this.#arrive(this.#varint());
  }

  #bufferAt(number: number) {
    return this.#buffers[this.#within(number, this.#buffers.length)];
  }

  /** A key, or a part of an object, that is a text. */
  #text(): string {
    const text = this.#read();
    if (typeof text !== "string") throw damaged("there is no text where one must be");
    return text;
  }

  #ascii(length: number): string {
    if (length > LONGEST_BY_HAND) return utf8.decode(this.#raw(length));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw damaged("they end too early");
    let text = "";
    while (this.#at < end) text += String.fromCharCode(this.#bytes[this.#at++]);
    return text;
  }

  #codeUnits(): string {
    const length = this.#varint();
    const bytes = this.#raw(2 * length);
    const parts: string[] = [];
    for (let k = 0; k < bytes.length; k += 2) parts.push(String.fromCharCode(bytes[k] | (bytes[k + 1] << 8)));
    return parts.join("");
  }

  #bigint(): bigint {
    const digits = this.#text();
    const isNegative = digits.startsWith("-");
    const value = BigInt(`0x${isNegative ? digits.slice(1) : digits}`);
    return isNegative ? -value : value;
  }

  #double(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  #varint(): number {
    let value = this.#byte();
    if (value <= 0x7f) return value;
    value &= 0x7f;
    for (let factor = 128; factor <= Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte <= 0x7f) return value;
    }
    throw damaged("a number is too large");
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw damaged("they end too early");
    return this.#bytes[this.#at++];
  }

  #raw(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw damaged("they end too early");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  #within(number: number, count: number): number {
    if (number >= count) throw damaged("they refer to what is not there");
    return number;
  }
}

function emptyError(type: number, message: string | undefined): Error {
  const isAggregate = format.ERRORS[type] === "AggregateError";
  return withoutStacks(() => (isAggregate ? new AggregateError([], message) : new CONSTRUCTORS[type](message)));
}

function define(target: object, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(target, key, { value, enumerable, configurable: true, writable: true });
}

function damaged(how: string, cause?: unknown): DamagedValueError {
  const message = `the bytes of a value are damaged: ${how}; the value is lost`;
  return new DamagedValueError(message, cause === undefined ? undefined : { cause });
}
