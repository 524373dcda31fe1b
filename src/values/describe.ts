/** What can be said of any value at all: looking at a stranger's value may throw, also in `instanceof` and `String`. */
import { types } from "../platform/host.js";

/** `String(value)`, or what else can be said of a value that does not become a string. */
export function describe(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `(${typeof value} that cannot be read)`;
  }
}

/** `value instanceof type`; a proxy that does not tell is an instance of nothing. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Whether it is an error, of whatever realm. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || isInstance(value, Error);
}

/** Whether the runtime has run out of stack while it copied or read a value. */
export function isTooDeep(error: unknown): boolean {
  return isInstance(error, RangeError) && /call stack/.test(describe(error.message));
}

const CUT = " […] ";

/** A text of no more than `most` characters: of a longer one the beginning, and the most of its end. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = most >> 2;
  return text.slice(0, head) + CUT + text.slice(head + CUT.length - most);
}
