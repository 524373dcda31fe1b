/** Odd values, each made anew by its name, so that a thread can be told which one to make. */

class OnlyWithNew {}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function throwing(): never {
  throw new EvalError("an odd value was looked at");
}

/** Throws at everything that is done with it. */
function hostile(target: object): unknown {
  return new Proxy(target, {
    get: throwing,
    has: throwing,
    ownKeys: throwing,
    getPrototypeOf: throwing,
    getOwnPropertyDescriptor: throwing,
  });
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function detachedView(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

/** A view whose buffer has become too small for it. */
function outOfBounds(view: (buffer: ArrayBuffer) => ArrayBufferView): ArrayBufferView {
  const buffer = new ArrayBuffer(16, { maxByteLength: 16 });
  const made = view(buffer);
  buffer.resize(2);
  return made;
}

export function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let k = 0; k < depth; k++) value = { value };
  return value;
}

function cyclicErrors(): Error {
  const error = new AggregateError([], "each is in each");
  const list: unknown[] = [error, error, new Error("other", { cause: error })];
  list.push(list);
  error.errors = list as Error[];
  return error;
}

function manyCauses(): Error {
  let error = new Error("first");
  for (let k = 0; k < 5000; k++) error = new Error("next", { cause: error });
  return error;
}

/** Can be read so many times. */
function readable(times: number): object {
  let left = times;
  return {
    get value() {
      return left-- > 0 ? 1 : throwing();
    },
  };
}

function named(name: unknown): Error {
  return Object.assign(new Error("named"), { name });
}

/** An error whose `property` cannot be read. */
function withGetter(property: string): Error {
  return Object.defineProperty(new Error("with a getter"), property, { get: throwing, enumerable: true });
}

class EndlessMap extends Map<unknown, unknown> {
  override *[Symbol.iterator](): MapIterator<[unknown, unknown]> {
    for (;;) yield [1, 2];
  }
}

export const ODD = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  zero: () => 0,
  "minus zero": () => -0,
  "not a number": () => Number.NaN,
  fraction: () => 1.5,
  huge: () => 2 ** 53,
  infinite: () => Number.POSITIVE_INFINITY,
  bigint: () => 2n ** 70n,
  symbol: () => Symbol("odd"),
  "empty text": () => "",
  text: () => "odd",
  "lone surrogate": () => "\udc00",
  function: () => () => 1,
  "class without call": () => OnlyWithNew,
  instance: () => new OnlyWithNew(),
  "async function": () => async () => 1,
  "without prototype": () => Object.assign(Object.create(null), { a: 1 }),
  "not a primitive": () => ({ toString: 1, valueOf: 1 }),
  "throws when described": () => ({ toString: throwing, valueOf: throwing }),
  array: () => [1, 2],
  sparse: () => Object.assign([], { 5: 1, length: 1000 }),
  "looks like an array": () => ({ length: 3 }),
  "long and looks like an array": () => ({ length: 2 ** 53 }),
  frozen: () => Object.freeze({ a: 1 }),
  cyclic: () => {
    const value: { value?: unknown } = {};
    value.value = value;
    return value;
  },
  deep: () => nested(100_000),
  "deep for a small stack": () => nested(5000),
  proxy: () => new Proxy({}, {}),
  "proxy of an array": () => new Proxy([1], {}),
  "proxy of an error": () => new Proxy(new Error("behind a proxy"), {}),
  "proxy that claims to be an error": () =>
    new Proxy(() => {}, { get: throwing, getPrototypeOf: () => Error.prototype }),
  "revoked object": () => revoked({}),
  "revoked array": () => revoked([]),
  "revoked function": () => revoked(() => {}),
  hostile: () => hostile({}),
  "hostile array": () => hostile([]),
  "hostile function": () => hostile(() => {}),
  "hostile error": () => hostile(new Error("hostile")),
  "throwing getter": () => readable(0),
  "getter that throws the second time": () => readable(1),
  "getter that throws the third time": () => readable(2),
  "getter that throws a symbol": () => ({
    get value() {
      throw Symbol("thrown by a getter");
    },
  }),
  "getter that throws what is no primitive": () => ({
    get value() {
      throw Object.create(null);
    },
  }),
  "throwing then": () => Object.defineProperty({}, "then", { get: throwing, enumerable: true }),
  "then that is no function": () => ({ then: 5 }),
  // One that never calls back would be a job that never ends.
  thenable: () => ({ then: (settle: (value: number) => void) => settle(1) }),
  promise: () => Promise.resolve(1),
  "weak map": () => new WeakMap(),
  "map with odd keys": () => new Map<unknown, unknown>([[Object.create(null), () => {}]]),
  "endless map": () => new EndlessMap([[1, () => {}]]),
  set: () => new Set([1, new Set([() => {}])]),
  date: () => new Date(Number.NaN),
  expression: () => /odd/gu,
  "shared buffer": () => new SharedArrayBuffer(8),
  "shared buffer inside": () => ({ buffer: new SharedArrayBuffer(8) }),
  "growable shared buffer": () => new SharedArrayBuffer(8, { maxByteLength: 64 }),
  "view that tracks a growable shared buffer": () => new Uint8Array(new SharedArrayBuffer(8, { maxByteLength: 64 }), 4),
  "resizable buffer": () => new ArrayBuffer(8, { maxByteLength: 64 }),
  "view that tracks a resizable buffer": () => new Uint16Array(new ArrayBuffer(8, { maxByteLength: 64 }), 2),
  "detached buffer": detached,
  "detached view": detachedView,
  "detached view inside": () => ({ view: detachedView() }),
  "view out of bounds": () => outOfBounds((buffer) => new Uint8Array(buffer, 4, 8)),
  "data view out of bounds": () => outOfBounds((buffer) => new DataView(buffer, 4, 8)),
  "view without its prototype": () => Object.setPrototypeOf(new Uint8Array(4), Object.prototype),
  "view without any prototype": () => Object.setPrototypeOf(new Float64Array(4), null),
  "pretends to be a shared buffer": () => Object.create(SharedArrayBuffer.prototype),
  "pretends to be a memory": () => Object.create(WebAssembly.Memory.prototype),
  "memory of its own": () => new WebAssembly.Memory({ initial: 1, maximum: 1 }),
  error: () => new RangeError("odd"),
  "frozen error": () => Object.freeze(new Error("frozen")),
  "errors in each other": cyclicErrors,
  "many causes": manyCauses,
  "odd cause": () => new Error("with an odd cause", { cause: hostile(new Error("cause")) }),
  "name without primitive": () => named(Object.create(null)),
  "name that is a symbol": () => named(Symbol("name")),
  "named as a method of objects": () => named("toString"),
  "named as the prototype": () => named("__proto__"),
  "named as the constructor": () => named("constructor"),
  "named as an aggregate": () => named("AggregateError"),
  "message without primitive": () =>
    Object.defineProperty(new Error(), "message", { value: Object.create(null), enumerable: false }),
  "stack without primitive": () => Object.defineProperty(new Error("s"), "stack", { value: Object.create(null) }),
  "throwing message": () => withGetter("message"),
  "throwing stack": () => withGetter("stack"),
  "throwing cause": () => withGetter("cause"),
  "list of errors": () => [new Error("in a list"), [new TypeError("in a list in a list")]],
  "looks like a packed error": () => ({ mark: "heddle:error", kind: "error", name: "toString" }),
  "exception of the platform": () => new DOMException("odd", "AbortError"),
} satisfies Record<string, () => unknown>;

export type OddName = keyof typeof ODD;
export const ODD_NAMES = Object.keys(ODD) as OddName[];

/** Where an odd value is put. */
export const PLACES = {
  "as it is": (value: unknown) => value,
  "in an object": (value: unknown) => ({ inside: value }),
  "in an array": (value: unknown) => [1, value],
  "in a map": (value: unknown) => new Map([["inside", value]]),
  "as a cause": (cause: unknown) => new Error("outer", { cause }),
  "as a property of an error": (value: unknown) => Object.assign(new TypeError("outer"), { inside: value }),
  "in an aggregate": (value: unknown) => new AggregateError([new Error("beside it"), value], "outer"),
} satisfies Record<string, (value: unknown) => unknown>;

export type Place = keyof typeof PLACES;
export const PLACE_NAMES = Object.keys(PLACES) as Place[];

/** An odd value inside others. */
export function oddIn(name: OddName, places: readonly Place[]): unknown {
  return places.reduce<unknown>((value, place) => PLACES[place](value), ODD[name]());
}
