/** What the language alone cannot tell of an object: told by what only true instances allow to be read. */

type Reader = ((this: never) => unknown) | undefined;

const MAP = getterOf(Map.prototype, "size");
const SET = getterOf(Set.prototype, "size");
const BUFFER = getterOf(ArrayBuffer.prototype, "byteLength");
/** Missing without cross-origin isolation. */
const SHARED = getterOf(globalThis.SharedArrayBuffer?.prototype, "byteLength");
const REGEXP = getterOf(RegExp.prototype, "global");
const BOXES: readonly Reader[] = [
  Number.prototype.valueOf,
  String.prototype.valueOf,
  Boolean.prototype.valueOf,
  BigInt.prototype.valueOf,
  Symbol.prototype.valueOf,
];

function getterOf(prototype: object | undefined, name: string): Reader {
  return prototype && Object.getOwnPropertyDescriptor(prototype, name)?.get;
}

function isRead(value: unknown, read: Reader): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    // Of its prototype itself, `global` reads undefined.
    return read?.call(value as never) !== undefined;
  } catch {
    return false;
  }
}

function isTagged(value: unknown, tag: string): boolean {
  if (typeof value !== "object" || value === null) return false;
  try {
    return Object.prototype.toString.call(value) === `[object ${tag}]`;
  } catch {
    return false;
  }
}

export const types = {
  isMap: (value: unknown) => isRead(value, MAP),
  isSet: (value: unknown) => isRead(value, SET),
  isDate: (value: unknown) => isRead(value, Date.prototype.getTime),
  isRegExp: (value: unknown) => isRead(value, REGEXP),
  isSharedArrayBuffer: (value: unknown) => isRead(value, SHARED),
  isAnyArrayBuffer: (value: unknown) => isRead(value, BUFFER) || isRead(value, SHARED),
  isBoxedPrimitive: (value: unknown) => BOXES.some((read) => isRead(value, read)),
  isArgumentsObject: (value: unknown) => isTagged(value, "Arguments"),
  isModuleNamespaceObject: (value: unknown) => isTagged(value, "Module") && !Object.isExtensible(value),
  /** One that names itself something else is not known. */
  isNativeError: (value: unknown) => isTagged(value, "Error"),
  /** Nothing tells a proxy from what it stands for. */
  isProxy: (_value: unknown) => false,
};
