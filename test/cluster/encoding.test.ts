/** What lies in the database: read on any version of Node, the same as structuredClone gives, and refused where it must be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createContext, runInContext } from "node:vm";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import type { PayloadTooLargeError } from "heddle";
import { FORMAT, Plan } from "../../src/cluster/plan.js";
import {
  argumentToText,
  failureFromText,
  failureToText,
  resultToText,
  valueFromBytes,
  valueFromText,
} from "../../src/cluster/values.js";
import { Cloner } from "../../src/values/clone.js";
import { describe } from "../../src/values/describe.js";
import { VERSION } from "../../src/values/encoding/format.js";
import { DamagedValueError, decode } from "../../src/values/encoding/reader.js";
import { encode } from "../../src/values/encoding/writer.js";
import type { Failure } from "../../src/values/failures.js";
import { NewerFormatError } from "../../src/values/newer-format.js";
import { TooLarge } from "../../src/values/room.js";
import { cloneable } from "../support/cloneable.js";
import { HANGS } from "../support/hangs.js";
import { bound } from "../support/long.js";
import { nested, ODD_NAMES, oddIn, PLACE_NAMES } from "../support/odd.js";

const { Float16Array } = globalThis as { Float16Array?: Uint16ArrayConstructor };

/** Whether two values refer to the same objects in the same places. */
function sharesAlike(one: unknown, other: unknown, met = new Map<object, unknown>()): boolean {
  if (typeof one !== "object" || one === null) return Object.is(one, other);
  if (met.has(one)) return met.get(one) === other;
  if (new Set(met.values()).has(other)) return false;
  met.set(one, other);
  return partsOf(one).every((part, k) => sharesAlike(part, partsOf(other as object)[k], met));
}

function partsOf(value: object): unknown[] {
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return [];
  const own = Object.keys(value).map((key) => (value as Record<string, unknown>)[key]);
  return value instanceof Error ? [value.cause, ...own] : own;
}

function withHole(): number[] {
  const list = [1, 2, 3];
  delete list[1];
  return list;
}

function isSame(value: unknown): void {
  const copy = decode(encode(value));
  const expected = structuredClone(value);
  assert.deepEqual(copy, expected);
  assert.ok(sharesAlike(expected, copy));
  assert.ok(typeof value === "object" || Object.is(copy, value));
}

/** Lists, records, maps and sets that refer to each other and to errors at random, also in circles: Node 20 clones no error in a circle. */
const tangled = fc
  .array(fc.tuple(fc.nat(4), fc.array(fc.tuple(fc.nat(30), fc.anything({ maxDepth: 1 })), { maxLength: 5 })), {
    minLength: 1,
    maxLength: 15,
  })
  .map((nodes) => {
    const made: object[] = nodes.map(([kind]) => [[], {}, new Map(), new Set(), new Error("tangled")][kind]);
    for (const [k, [, edges]] of nodes.entries()) {
      for (const [to, also] of edges) {
        const node = made[k];
        const part = made[to % made.length];
        if (Array.isArray(node)) node.push(part, also);
        else if (node instanceof Map) node.set(part, also).set(also, part);
        else if (node instanceof Set) node.add(part).add(also);
        else if (node instanceof Error) node.cause = also;
        else Object.assign(node, { [`to ${to}`]: part, also });
      }
    }
    return made;
  });

test("values of each class come back as structuredClone gives them", () => {
  const list: unknown[] = [1, "two"];
  const cyclic: Record<string, unknown> = { list, again: list, map: new Map() };
  cyclic.self = cyclic;
  (cyclic.map as Map<unknown, unknown>).set(cyclic, cyclic.map);
  const holes = Object.assign(new Array(1000), { 7: "seven", 999: "last" });
  class Pairs extends Map<number, number> {}
  class Mine extends SyntaxError {}
  class Own {
    shown = 1;
    #hidden = 2;
    get sum() {
      return this.shown + this.#hidden;
    }
  }
  const fails = Object.assign(new RangeError("out"), { name: "TypeError", extra: 1 });
  const numbers = [0, -0, 1, 127, 128, -1, -64, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 1.5, 5e-324, Number.NaN];
  const texts = ["", "a", "é", "日本", "😀", "\ud800", "a\udc00b", "\ufeffmark", "x".repeat(63), "x".repeat(64)];
  const long = ["x".repeat(100_000), "é".repeat(100_000), `${"x".repeat(99_999)}\udfff`];
  const values: unknown[] = [...numbers, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, ...texts, ...long];
  values.push(undefined, null, true, false, 0n, 1n, -1n, 2n ** 64n, -(2n ** 300n));
  values.push(
    new Date(5),
    new Date(-1.5e12),
    ...["", "dgimsuy", "v"].map((flags) => new RegExp("a/b", flags)),
    Object.assign(/x/g, { lastIndex: 3 }),
  );
  values.push(Object(true), Object(false), Object(-0), Object("text"), Object(7n), [Object(1), Object("\ud800")]);
  values.push(
    [],
    [undefined],
    withHole(),
    holes,
    new Array(2 ** 32 - 1),
    Object.assign([1, 2], { more: 3 }),
    /(?<a>.)/.exec("b"),
  );
  values.push(
    {},
    Object.create(null),
    { a: 1, 7: 2, "": 3, "\ud800": 4 },
    JSON.parse('{"__proto__": 1, "constructor": 2}'),
    new Own(),
  );
  values.push(
    new Map<unknown, unknown>([
      [Number.NaN, 1],
      [-0, 2],
      [{}, new Set([[]])],
    ]),
    new Set([new Set(), undefined]),
  );
  values.push(new Pairs([[1, 2]]), Object.create(Map.prototype), Object.create(Date.prototype), Math, JSON);
  values.push(Object.setPrototypeOf(new Date(5), null), Object.setPrototypeOf(/x/, Object.prototype), {
    [Symbol.toStringTag]: "Date",
  });
  values.push(
    cyclic,
    [list, list],
    new Error(),
    new Error(""),
    new TypeError("m", { cause: undefined }),
    fails,
    new Mine("m"),
  );
  values.push(
    new EvalError("e"),
    new ReferenceError("e"),
    new URIError("e"),
    Object.defineProperty(new Error("m"), "stack", { value: 1 }),
  );
  for (const value of values) isSame(value);
  // Two of these are never equal to `assert`.
  const never = decode(encode(new Date(Number.NaN)));
  assert.ok(never instanceof Date && Number.isNaN(never.getTime()));
  const elsewhere = runInContext(
    "({ map: new Map([[1, new Set([2])]]), list: [1, , 3], when: new Date(5) })",
    createContext({}),
  );
  isSame(elsewhere);
});

test("any values, also in circles, come back as structuredClone gives them", HANGS, () => {
  const check = (value: unknown) => isSame(value);
  fc.assert(fc.property(cloneable, check), { numRuns: bound(500, 20_000) });
  fc.assert(fc.property(tangled, check), { numRuns: bound(500, 20_000) });
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), check), { numRuns: bound(500, 20_000) });
});

test("what is refused today is refused, and what is odd comes back the same", HANGS, () => {
  const before = new Cloner();
  for (const name of ODD_NAMES) {
    for (const place of PLACE_NAMES) {
      // Of an AggregateError more is kept.
      if (place === "in an aggregate" || name === "errors in each other") continue;
      let expected: unknown;
      let reason: string | undefined;
      try {
        expected = before.deserialize(before.serialize(oddIn(name, [place])));
      } catch (error) {
        reason = describe((error as Error)?.name ?? error);
      }
      const where = `${name}, ${place}`;
      let copy: unknown;
      try {
        copy = decode(encode(oddIn(name, [place])));
      } catch (error) {
        assert.ok([reason, "DataCloneError"].includes(describe((error as Error)?.name ?? error)), where);
        assert.notEqual(reason, undefined, where);
        continue;
      }
      assert.equal(reason, undefined, where);
      assert.equal(seen(copy), seen(expected), where);
    }
  }
});

/** All that can be seen of it, but for where its errors were made. */
function seen(value: unknown): string {
  const text = inspect(value, { depth: 20, maxArrayLength: null });
  return text.replaceAll(/encoding\.test\.js:\d+:\d+/g, "here");
}

test("buffers and views: what is shared stays so, lengths that may change still may", () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, k) => k);
  const types = [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
  ];
  const all = [
    ...types,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    ...(Float16Array === undefined ? [] : [Float16Array]),
  ];
  for (const type of all) {
    isSame(new type(bytes.slice().buffer));
    isSame(new type(0));
    isSame([new type(bytes.buffer, 8, 2), bytes]);
  }
  isSame(new DataView(bytes.slice().buffer));
  isSame(bytes.buffer);
  const buffer = bytes.slice(0, 16).buffer;
  const copy = decode(encode({ first: new Uint8Array(buffer, 0, 4), last: new Float64Array(buffer, 8), buffer })) as {
    first: Uint8Array;
    last: Float64Array;
    buffer: ArrayBuffer;
  };
  assert.ok(copy.first.buffer === copy.buffer && copy.last.buffer === copy.buffer);
  assert.deepEqual([copy.first.length, copy.last.byteOffset, copy.buffer.byteLength], [4, 8, 16]);
  // One alone takes only its own bytes along, and Node's small buffers, which lie in one, have nothing to do with each other.
  assert.equal((decode(encode(bytes.subarray(4, 8))) as Uint8Array).buffer.byteLength, 4);
  const [one, two] = decode(encode([Buffer.from("one"), Buffer.from("two")])) as Uint8Array[];
  assert.deepEqual([one, two.buffer.byteLength], [new Uint8Array(Buffer.from("one")), 3]);
  const view = bytes.subarray(1, 2);
  const [same, again] = decode(encode([view, view])) as Uint8Array[];
  assert.equal(same, again);

  for (const [length, offset, fixed, max] of [
    [8, 0, undefined, 64],
    [8, 4, undefined, 64],
    [8, 4, 4, 64],
    [8, 4, undefined, 8],
    [8, 4, 4, 8],
    [7, 4, undefined, 8],
    [8, 8, undefined, 16],
    [8, 8, 0, 16],
    [8, 0, 1, 16],
  ] as const) {
    for (const type of [Uint8Array, Uint16Array, DataView] as (typeof Uint8Array)[]) {
      if (offset % (type.BYTES_PER_ELEMENT ?? 1) !== 0) continue;
      const resizable = new ArrayBuffer(8, { maxByteLength: max });
      new Uint8Array(resizable).set(bytes.subarray(1, 9));
      const given =
        fixed === undefined ? new type(resizable, offset) : new type(resizable, offset, fixed > 1 ? fixed / 2 : fixed);
      resizable.resize(length);
      const expected = structuredClone(given);
      const got = decode(encode(given)) as typeof given;
      assert.deepEqual(new Uint8Array(got.buffer), bytes.subarray(1, length + 1));
      assert.deepEqual(new Uint8Array(resizable), bytes.subarray(1, length + 1), "the one given is as it was");
      assert.equal((got.buffer as ArrayBuffer).maxByteLength, max);
      for (const size of [max, Math.min(max, offset + 2)]) {
        for (const each of [expected, got]) (each.buffer as ArrayBuffer).resize(size);
        assert.equal(got.byteLength, expected.byteLength, `${[length, offset, fixed, max, size]}`);
      }
    }
  }
  const detached = bytes.slice();
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  for (const value of [detached, detached.buffer, new Map([[1, detached]])])
    assert.throws(() => encode(value), /detached/);
  assert.throws(
    () =>
      encode([
        Object.assign(bytes),
        new Uint8Array(one.buffer),
        {
          get late() {
            return structuredClone(one.buffer, { transfer: [one.buffer] });
          },
        },
      ]),
    TypeError,
  );
});

test("shared memory: results take a copy along, arguments may not", () => {
  const shared = new Int32Array(new SharedArrayBuffer(8, { maxByteLength: 16 }), 4);
  shared[0] = 7;
  const copy = valueFromText(resultToText({ shared }, 1000)) as { shared: Int32Array };
  assert.deepEqual(copy.shared, Int32Array.of(7));
  assert.ok(copy.shared.buffer instanceof ArrayBuffer);
  const refused = (value: unknown, message: RegExp) =>
    assert.throws(() => argumentToText(value, "it", 1000), { name: "DataCloneError", message });
  refused({ shared }, /^it, at \.shared, can't go to another machine: memory that is shared.*pass a copy/);
  refused([{ buffer: shared.buffer }], /^it, at \[0\]\.buffer, can't go/);
  assert.throws(() => resultToText(shared.buffer, 1000), { name: "DataCloneError" });
});

test("what can't be copied is named with its place", () => {
  const refused = (value: unknown, message: RegExp) =>
    assert.throws(() => argumentToText(value, "it", 1e6), { name: "DataCloneError", message });
  refused(
    { options: { onDone() {} } },
    /^it, at \.options\.onDone, can't go to another machine: onDone.*could not be cloned/,
  );
  refused([1, { "a b": Symbol("x") }], /at \[1\]\["a b"\],.*Symbol\(x\)/);
  refused(new Map([["key", new WeakMap()]]), /at \.get\(key\),.*WeakMap/);
  refused([new Error("e", { cause: [] }), { at: Promise.resolve() }], /at \[1\]\.at,.*Promise/);
  refused({ url: new URL("http://localhost/") }, /at \.url,.*a URL.*its href/);
  refused([new Blob([])], /at \[0\],.*a Blob.*arrayBuffer/);
  refused([new WebAssembly.Memory({ initial: 1 })], /at \[0\],.*a WebAssembly\.Memory/);
  refused({ proxy: new Proxy({}, {}) }, /at \.proxy,/);
  refused({ each: [1].values() }, /at \.each,/);
  refused({ each: (function* () {})() }, /at \.each,.*Generator/);
  refused(nested(100_000), /^it can't go to another machine: it is nested too deeply/);
  const throwing = {
    get bad() {
      throw new Error("no");
    },
  };
  refused({ throwing }, /at \.throwing\.bad,.*reading it throws Error: no/);
});

test("each getter is called once", () => {
  let calls = 0;
  const value = {
    list: [1],
    get counted() {
      return { calls: ++calls, same: value };
    },
    error: new DOMException("stop", "AbortError"),
  };
  const copy = decode(encode(value)) as typeof value;
  assert.equal(calls, 1);
  assert.ok(copy.counted.calls === 1 && copy.counted.same === copy);
  assert.deepEqual(Object.keys(copy), ["list", "counted", "error"]);
  const inner = {
    get bytes() {
      return encode({ list: [1, 2, "x".repeat(1000)] });
    },
  };
  assert.deepEqual(decode((decode(encode(inner)) as typeof inner).bytes), { list: [1, 2, "x".repeat(1000)] });
});

test("errors keep their type, message, stack and cause; an aggregate its errors; a DOMException is one", () => {
  const error = new TypeError("outer");
  error.cause = new RangeError("inner", { cause: error });
  const [copy, same] = decode(encode([error, error])) as TypeError[];
  assert.equal(copy, same);
  assert.ok(copy instanceof TypeError && copy.cause instanceof RangeError && copy.cause.cause === copy);
  assert.deepEqual(
    [copy.message, copy.stack, (copy.cause as Error).stack],
    ["outer", error.stack, (error.cause as Error).stack],
  );
  assert.deepEqual(Object.keys(copy), []);
  const first = new Error("first");
  const aggregate = decode(encode(new AggregateError([first, 2], "all", { cause: first }))) as AggregateError;
  assert.ok(aggregate instanceof AggregateError && aggregate.errors[0] === aggregate.cause);
  assert.deepEqual([aggregate.message, aggregate.errors[0].message, aggregate.errors[1]], ["all", "first", 2]);
  assert.deepEqual(Object.keys(aggregate), []);
  const exception = new DOMException("stop", "AbortError");
  const { exceptions } = decode(encode({ exceptions: [exception, exception] })) as { exceptions: DOMException[] };
  assert.ok(exceptions[0] instanceof DOMException && exceptions[0] === exceptions[1]);
  assert.deepEqual(
    [exceptions[0].name, exceptions[0].message, exceptions[0].code, exceptions[0].stack],
    ["AbortError", "stop", 20, exception.stack],
  );
});

/** An error with a cause, as each version of Node must write it. */
const WITH_CAUSE = "aAEAFQUHRW91dGVyUFR5cGVFcnJvcjogb3V0ZXIVAAdFaW5uZXJMRXJyb3I6IGlubmVyCwFEd29ya4EA";

test("an error with a cause is the same bytes on every version of Node, and read by each", () => {
  const inner = new Error("inner", { cause: { work: 1 } });
  inner.stack = "Error: inner";
  const outer = new TypeError("outer", { cause: inner });
  outer.stack = "TypeError: outer";
  assert.equal(resultToText(outer, 1000), WITH_CAUSE);
  const copy = valueFromText(WITH_CAUSE) as Error;
  assert.ok(copy instanceof TypeError && copy.cause instanceof Error);
  assert.deepEqual([copy.message, copy.stack], ["outer", "TypeError: outer"]);
  assert.deepEqual([copy.cause.message, copy.cause.stack, copy.cause.cause], ["inner", "Error: inner", { work: 1 }]);
});

// Written by heddle 0.1 on Node 20.20.
const OLD_VALUE =
  "/w9BDEkCTgAAAAAAAACAIgHpYQJJAkkEQAECO28iAW5JAnsBJ14DLAE6AkECXAIBAAAAAAAAAEAAAAAAAAAQQEIIAQIDBAUGBwhcAgUAAAAAAAAAAAAAAAAAAABAXgckAAJcAgEAAAAAAAAAAAAAAAAAAPC/fgIIAABcAAgIAAAAAAAA4D9aEAUAAAAAAAAARAAAAAAAABxAUiIBbwFyVG0iA29sZHMiGVR5cGVFcnJvcjogb2xkCiAgICBhdCBvbGQuJAAM";
const OLD_EXCEPTION = "/w9vIgF4XARBAyIKQWJvcnRFcnJvciIEc3RvcCIBcyQAA3sB";
const OLD_FAILURE =
  "/w9vIgRraW5kIgV0aHJldyIDam9iIgR3b3JrIgVlcnJvcm8iBGtpbmQiBWVycm9yIgRuYW1lIgpSYW5nZUVycm9yIgdtZXNzYWdlIgVmaXJzdCIFc3RhY2siEVJhbmdlRXJyb3I6IGZpcnN0Igpwcm9wZXJ0aWVzQQJBAiIFY2F1c2VvIgRraW5kIgVlcnJvciIEbmFtZSIJVHlwZUVycm9yIgdtZXNzYWdlIgNvbGQiBXN0YWNrIhlUeXBlRXJyb3I6IG9sZAogICAgYXQgb2xkIgpwcm9wZXJ0aWVzQQAkAAB7BSQAAkECIgRjb2RlbyIEa2luZCIFdmFsdWUiBXZhbHVlIgVFX09MRHsCJAACJAACewV7Aw==";
const OLD_PLAN =
  "/w9vIglmdW5jdGlvbnNBAiIGd29yay5hIgZ3b3JrLmIkAAIiCmZ1bmN0aW9uT2ZcBQwAAAAAAQAAAAEAAAAiBW5hbWVzO0kEIgRsYXN0OgIiBnN0YXJ0c1wFEAAAAAACAAAAAwAAAAMAAAAiCmRlcGVuZGFudHNcBQwBAAAAAgAAAAIAAAB7BQ==";

function checkFailure(failure: Failure): void {
  assert.ok(failure.kind === "threw" && failure.job === "work");
  const error = failure.error as RangeError & { code: string };
  assert.ok(error instanceof RangeError && error.cause instanceof TypeError);
  assert.deepEqual([error.message, error.code, error.cause.message], ["first", "E_OLD", "old"]);
}

function checkPlan(plan: Plan): void {
  assert.deepEqual([plan.size, plan.nameOf(2), plan.numberOf("last")], [3, "last", 2]);
  assert.deepEqual([plan.dependantsOf(0), plan.dependantsOf(1), plan.hasDependants(2)], [[1, 2], [2], false]);
}

test("what heddle 0.1 has stored is read", () => {
  const value = valueFromText(OLD_VALUE) as unknown[];
  const [map, [bytes, words], resizable, halves, big, when, expression, error] = value.slice(4) as [
    Map<object, Set<object>>,
    [Uint8Array, Int32Array],
    Uint8Array,
    Float64Array,
    bigint,
    Date,
    RegExp,
    TypeError,
  ];
  assert.ok(Object.is(value[1], -0) && value[2] === "é");
  const list = value[3] as number[];
  assert.deepEqual([list.length, 0 in list, list[1]], [2, false, 2]);
  const [[key, set]] = map;
  assert.ok(set.has(key));
  assert.ok(bytes.buffer === words.buffer);
  assert.deepEqual([...bytes, words.length], [3, 4, 5, 6, 2]);
  assert.equal((resizable.buffer as ArrayBuffer).maxByteLength, 8);
  assert.deepEqual([halves[0], big, when.getTime(), String(expression)], [0.5, 5n, 7, "/o/g"]);
  assert.deepEqual([error.message, error.stack], ["old", "TypeError: old\n    at old"]);
  const { x } = valueFromText(OLD_EXCEPTION) as { x: DOMException };
  assert.ok(x instanceof DOMException && x.name === "AbortError");
  checkFailure(failureFromText(OLD_FAILURE, "work"));
  const dependent = failureFromText(
    Buffer.concat([
      Buffer.of(1, 8, 0, 0, 0),
      Buffer.from("next", "utf16le"),
      Buffer.from(OLD_FAILURE, "base64"),
    ]).toString("base64"),
    "next",
  );
  assert.ok(dependent.kind === "dependency" && dependent.job === "next");
  checkFailure(dependent.first);
  checkPlan(Plan.fromBytes(Buffer.from(OLD_PLAN, "base64")));
  assert.throws(() => valueFromText(OLD_VALUE.slice(0, 100)), /heddle 0\.1 stored this value.*that version of Node/);
});

test("plans and failures are written in the new format", () => {
  assert.equal(FORMAT, 2);
  const bytes = Plan.fromBytes(Buffer.from(OLD_PLAN, "base64")).toBytes();
  assert.equal(bytes[0], 0x68);
  checkPlan(Plan.fromBytes(bytes));
  const cause = new TypeError("old");
  const error = Object.assign(new RangeError("first", { cause }), {
    code: "E_OLD",
    list: [cause, new Map([[1, cause]])],
  });
  const text = failureToText({ kind: "threw", job: "work", error });
  assert.equal(Buffer.from(text, "base64")[0], 0x68);
  const failure = failureFromText(text, "work");
  checkFailure(failure);
  assert.ok(failure.kind === "threw");
  const { list, cause: same } = failure.error as typeof error;
  assert.ok(list[0] === same);
  checkFailure(
    (
      failureFromText(failureToText({ kind: "dependency", job: "next", first: failure }), "next") as Failure & {
        first: Failure;
      }
    ).first,
  );
});

test("what a newer heddle has written is refused as that", () => {
  const bytes = encode({ a: 1 });
  bytes[1] = VERSION + 1;
  const isNewer = (error: unknown) =>
    error instanceof NewerFormatError && /a newer heddle wrote this value.*update heddle here/.test(error.message);
  assert.throws(() => decode(bytes), isNewer);
  assert.throws(() => valueFromBytes(bytes), isNewer);
  const failure = failureFromText(Buffer.from(bytes).toString("base64"), "work");
  assert.ok(failure.kind === "threw" && failure.job === "work" && isNewer(failure.error));
});

test("damaged bytes end in an error, soon, and without room for what they claim to be", HANGS, () => {
  const buffer = new ArrayBuffer(16, { maxByteLength: 32 });
  const whole = encode({
    list: [1, 300, 1.5, "text", "é", "\ud800", 5n, undefined, withHole(), Object.assign([1], { a: 1 })],
    map: new Map<unknown, unknown>([[1, new Set([new Date(1), /x/g, Object(1)])]]),
    views: [new Uint8Array(buffer), new Float64Array(buffer, 8), buffer, new DataView(new ArrayBuffer(4), 1)],
    errors: new AggregateError([new DOMException("m", "AbortError")], "m", { cause: "long".repeat(30) }),
  });
  decode(whole);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decode(whole.subarray(0, length)), DamagedValueError, `the first ${length}`);
  }
  assert.throws(() => decode(Buffer.concat([whole, whole])), /damaged: there are more/);
  const attempt = (bytes: Uint8Array) => {
    try {
      decode(bytes);
    } catch (error) {
      assert.ok(
        error instanceof DamagedValueError || error instanceof NewerFormatError || error instanceof TypeError,
        `${error}`,
      );
    }
  };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const bytes = whole.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        attempt(bytes);
      },
    ),
    { numRuns: bound(3000, 100_000) },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => attempt(Uint8Array.of(0x68, VERSION, 0, ...bytes))),
    { numRuns: bound(3000, 100_000) },
  );
  // 2^49 - 1: of a text, code units, lists, a map, a set, and the bytes of a buffer.
  const huge = [255, 255, 255, 255, 255, 255, 127];
  for (const tag of [8, 9, 12, 13, 16, 17])
    assert.throws(() => decode(Uint8Array.of(0x68, VERSION, 0, tag, ...huge)), DamagedValueError);
  assert.throws(() => decode(Uint8Array.of(0x68, VERSION, ...huge)), DamagedValueError);
  assert.throws(() => decode(Uint8Array.of(0x68, VERSION, 1, 0, ...huge, 0)), DamagedValueError);
  const bytes = encode(new Array(2 ** 24));
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  const sparse = decode(bytes) as unknown[];
  const after = process.memoryUsage();
  assert.equal(sparse.length, 2 ** 24);
  assert.ok(after.heapUsed + after.arrayBuffers - heapUsed - arrayBuffers < 2 ** 24);
});

test("writing stops soon after as many bytes as are allowed", () => {
  let read = 0;
  const parts = Array.from({ length: 100 }, (_, k) => ({
    get part() {
      read++;
      return k % 2 === 0 ? "x".repeat(50_000) : new Uint8Array(50_000);
    },
  }));
  assert.throws(
    () => encode(parts, { maxBytes: 200_000 }),
    (error) => error instanceof TooLarge && error.bytes > 200_000,
  );
  assert.ok(read < 10, `${read}`);
  for (const value of ["x".repeat(1001), "é".repeat(501), "\ud800".repeat(501), new Uint8Array(1001), 2n ** 8000n]) {
    assert.throws(
      () => argumentToText([value], "it", 1000),
      (error: PayloadTooLargeError) =>
        error.name === "PayloadTooLargeError" &&
        error.maxBytes === 1000 &&
        error.bytes > 1000 &&
        /^it takes at least \d+ bytes, and maxValueBytes allows 1000;/.test(error.message),
    );
  }
  const value = { text: "x".repeat(100), bytes: new Uint8Array(100) };
  const { length } = encode(value);
  assert.equal(encode(value, { maxBytes: length }).length, length);
  assert.throws(() => encode(value, { maxBytes: length - 1 }), TooLarge);
});

test("what is too deep for a thread is refused as that", HANGS, async () => {
  assert.throws(() => encode(nested(100_000)), RangeError);
  const deep = resultToText(nested(1500), 1e6);
  assert.equal(depthOf(valueFromText(deep)), 1500);
  const module = new URL("../../src/cluster/values.js", import.meta.url);
  const worker = new Worker(
    `require("node:worker_threads").parentPort.once("message", async (text) => {
      const { valueFromText } = await import(${JSON.stringify(module.href)});
      try { valueFromText(text); } catch (error) { require("node:worker_threads").parentPort.postMessage(String(error)); }
    })`,
    { eval: true, resourceLimits: { stackSizeMb: 0.3 } },
  );
  worker.postMessage(deep);
  const said = await new Promise((resolve, reject) =>
    worker.once("message", resolve).once("error", reject).once("exit", resolve),
  );
  await worker.terminate();
  assert.match(String(said), /RangeError: the value is nested too deeply to be read on this thread/);
});

function depthOf(value: unknown): number {
  let depth = 0;
  for (let at = value; typeof at === "object"; at = (at as { value: unknown }).value) depth++;
  return depth;
}
