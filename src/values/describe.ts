/** What can be said of any value at all: looking at a stranger's value may throw, also in `instanceof` and `String`. */

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
