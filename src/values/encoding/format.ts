/**
 * Values as bytes that may lie in a database for years, and be read by another version of heddle or of the runtime. Bytes
 * are: `MAGIC`, the version, the buffers, the value. Whole numbers are varints: seven bits a byte, the lowest first.
 * All else is little-endian.
 *
 * - The buffers: how many, and of each where its bytes begin in the buffer that was written (if only those under one view were),
 *   how many there are, its greatest length and one more if it is resizable (else 0), and the bytes.
 * - A value: a tag, and what is said below. Objects are numbered as they are met, from 0.
 */

/** No format of V8's begins with it. */
export const MAGIC = 0x68;
/** Grows when older versions cannot read it. */
export const VERSION = 1;

export const UNDEFINED = 1;
export const NULL = 2;
export const FALSE = 3;
export const TRUE = 4;
/** A whole number of 32 bits: a varint, 2n for n >= 0, -2n - 1 for others. */
export const WHOLE = 5;
/** 8 bytes. */
export const DOUBLE = 6;
/** A text of its digits, to the base 16. */
export const BIGINT = 7;
/** A varint of the bytes in UTF-8, and these. */
export const TEXT = 8;
/** For text with halves of characters: a varint of the code units, and these, of two bytes each. */
export const CODE_UNITS = 9;
/** An object that was met before: its number. */
export const REFERENCE = 10;
/** Properties: keys and values, after the last `NO_KEY`. */
export const OBJECT = 11;
/** A varint of the length, and the elements. */
export const LIST = 12;
/** The same, and then properties. */
export const LIST_AND_PROPERTIES = 13;
/** With holes: a varint of the length, and properties. */
export const SPARSE_LIST = 14;
/** In place of an element that went missing while the list was written. */
export const HOLE = 15;
/** A varint of the pairs, and each key with its value. */
export const MAP = 16;
/** A varint of the members, and these. */
export const SET = 17;
/** 8 bytes: milliseconds. */
export const DATE = 18;
/** Texts: source and flags. */
export const REGEXP = 19;
/** An object around a primitive value: that. */
export const BOXED = 20;
/** A byte, the type's place in `ERRORS`; a byte that says what follows (`WITH_…`); and that, in this order. */
export const ERROR = 21;
/** A DOMException: texts, name and message; its stack, a text or undefined. */
export const EXCEPTION = 22;
/** An ArrayBuffer: the buffer's number. */
export const BUFFER = 23;
/** A byte, the type's place in `VIEWS`; varints: the buffer's number, the offset in bytes, and the length in elements and one more, or 0 if the view tracks its buffer's. */
export const VIEW = 24;
/** Between threads only. A view on shared memory: a byte, as of `VIEW`; varints: the memory's number, the offset in bytes, and the length in elements and one more, or 0 if it tracks. */
export const SHARED_VIEW = 25;
/** Between threads only. An object of the runtime: its number. */
export const HOST_OBJECT = 26;
/** The least tag of an ASCII text of less than 64 characters: the number of them is added. */
export const SHORT_TEXT = 0x40;
/** The least tag of a whole number below 128: it is added. */
export const SMALL = 0x80;

/** In place of a property's key: there are no more. */
export const NO_KEY = 0;
/** A key that is new: a text follows. Keys are numbered as they are met; known ones are their number and `FIRST_KEY`. */
export const NEW_KEY = 1;
export const FIRST_KEY = 2;

export const WITH_MESSAGE = 1;
export const WITH_STACK = 2;
export const WITH_CAUSE = 4;
/** Of an AggregateError. */
export const WITH_ERRORS = 8;

// The order of these, and of VIEWS in views.ts, is part of the format.
export const ERRORS: readonly string[] = [
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "AggregateError",
];
