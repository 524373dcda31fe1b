/** Why a value cannot be cloned, and where in it. */
import { types } from "../platform/host.js";
import { describe, isInstance, isTooDeep } from "./describe.js";
import { TooLarge } from "./room.js";
import type { Serializer } from "./serializer.js";

/**
 * Says why `value` cannot be cloned.
 *
 * @param error what was thrown when it was tried
 * @param handleName what to call a value that goes by reference; undefined for others
 */
export function blameFor(
  error: unknown,
  value: unknown,
  cloner: Serializer,
  handleName: (part: unknown) => string | undefined,
): Blame {
  if (isTooDeep(error)) {
    return {
      path: "",
      reason: "it is nested too deeply; make it flatter, such as an array of records that name each other by index",
    };
  }
  let found: Blame | undefined;
  try {
    found = search(value, { cloner, handleName, seen: new Set() }, "");
  } catch {
    // The value does not let itself be searched: a proxy, for example.
  }
  return found ?? { path: "", reason: reasonIn(error) };
}

function reasonIn(error: unknown): string {
  if (isInstance(error, TooLarge)) return `it is too large to be copied: ${error.bytes} bytes`;
  const reason = isInstance(error, Error) ? describe(error.message) : describe(error);
  return reason === "" ? "the runtime cannot copy it; it may be too large" : reason;
}

/** Where a value cannot be cloned, and why. */
interface Blame {
  /** The way to the part that is to blame, such as ".options.onDone"; empty if it is the whole. */
  readonly path: string;
  readonly reason: string;
}

interface Search {
  readonly cloner: Serializer;
  readonly handleName: (part: unknown) => string | undefined;
  readonly seen: Set<unknown>;
}

const DEEPEST = 100;

function search(value: unknown, about: Search, path: string): Blame | undefined {
  const handle = about.handleName(value);
  if (handle !== undefined) {
    return { path, reason: `a ${handle}, which goes by reference and only as an argument of its own, or a result` };
  }
  const reason = reasonAgainst(value, about.cloner);
  if (reason === undefined) return undefined;
  const { seen } = about;
  if (typeof value !== "object" || value === null || seen.has(value) || seen.size > DEEPEST) return { path, reason };
  seen.add(value);
  for (const [step, read] of partsOf(value)) {
    let part: unknown;
    try {
      part = read();
    } catch (error) {
      return { path: path + step, reason: `reading it throws ${describe(error)}` };
    }
    const found = search(part, about, path + step);
    if (found !== undefined) return found;
  }
  return { path, reason };
}

function reasonAgainst(value: unknown, cloner: Serializer): string | undefined {
  try {
    cloner.serialize(value);
    return undefined;
  } catch (error) {
    if (types.isSharedArrayBuffer(value)) {
      return "a bare SharedArrayBuffer inside another value; pass a typed array on it, or the buffer as an argument of its own";
    }
    return reasonIn(error);
  }
}

function* partsOf(value: object): Generator<[string, () => unknown]> {
  if (types.isMap(value)) {
    // Not the iterator that a subclass may have.
    for (const [key, part] of Map.prototype.entries.call(value)) {
      yield [".keys()", () => key];
      yield [`.get(${describe(key)})`, () => part];
    }
  } else if (types.isSet(value)) {
    for (const part of Set.prototype.values.call(value)) yield [".values()", () => part];
  } else {
    for (const key of Object.keys(value)) {
      const step = Array.isArray(value)
        ? `[${key}]`
        : /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
          ? `.${key}`
          : `[${JSON.stringify(key)}]`;
      yield [step, () => (value as Record<string, unknown>)[key]];
    }
  }
}
