import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { shared } from "heddle";
import { cloneable } from "./support/cloneable.js";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

test("values come back as structuredClone would give them", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const cyclic: { self?: unknown; list: unknown[] } = { list: [1] };
    cyclic.self = cyclic;
    const sparse = [1, 2, 3];
    delete sparse[1];
    const cases: unknown[] = [
      0,
      -0,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      true,
      false,
      null,
      undefined,
      "",
      "text",
      "\ud800",
      "日本",
    ];
    cases.push(12n, new Date(5), /x/g, new Map([[{ a: 1 }, 2]]), new Set([1]), sparse, new Uint8Array([1, 2]), cyclic);
    cases.push(
      { nested: new Float64Array([1, 2]), buffer: new ArrayBuffer(8) },
      new TypeError("e"),
      "x".repeat(1_000_000),
    );
    for (const value of cases) {
      const expected = typeof value === "object" && value !== null ? structuredClone(value) : value;
      assert.deepEqual(await jobs.run(work.echo, value), expected);
      assert.ok(Object.is(await jobs.run(work.echo, value), expected) || typeof value === "object");
    }
    await fc.assert(
      fc.asyncProperty(cloneable, async (value) => {
        assert.deepEqual(await jobs.run(work.echo, value), structuredClone(value));
      }),
      { numRuns: bound(80, 300) },
    );
  });
});

test("not-a-number patterns from outside are not taken for something else", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const bits = new Uint32Array([5, 0xfffc0004]);
    const odd = new Float64Array(bits.buffer)[0];
    assert.ok(Number.isNaN(await jobs.run(work.echo, odd)));
  });
});

test("shared views go by reference, also inside objects and back", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const cells = shared(Int32Array, 8);
    await jobs.run(work.setTo, { cells: cells.subarray(2, 6), at: 1 }, 42);
    assert.equal(cells[3], 42);
    const back = await jobs.run(work.echo, cells.subarray(1, 4));
    back[0] = 9;
    assert.equal(cells[1], 9);
    assert.equal(back.length, 3);
    const buffer = await jobs.run(work.echo, cells.buffer as unknown as SharedArrayBuffer);
    new Int32Array(buffer)[7] = 5;
    assert.equal(cells[7], 5);
    const made = await jobs.run(work.makeShared, 10);
    assert.ok(made.buffer instanceof SharedArrayBuffer);
    assert.equal(made[9], 7);
    assert.equal((await jobs.run(work.echo, made))[3], 7);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared: true });
    new Uint8Array(memory.buffer)[0] = 3;
    assert.equal(new Uint8Array((await jobs.run(work.echo, memory)).buffer)[0], 3);
    for (let k = 0; k < 500; k++) {
      const each = shared(Float64Array, 4);
      each[0] = k;
      assert.equal((await jobs.run(work.echo, each))[0], k);
    }
    assert.equal((await jobs.run(work.echo, cells))[7], 5);
    assert.deepEqual([...shared(Int16Array, [1, 2, 3])], [1, 2, 3]);
    assert.throws(() => shared(Int8Array, -1), /length must be/);
  });
});

test("what cannot be cloned is named with its place, and the system goes on", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const refused = (value: unknown, place: RegExp) =>
      assert.throws(
        () => jobs.run(work.echo, value),
        (error: unknown) => {
          assert.ok(error instanceof DOMException);
          assert.equal(error.name, "DataCloneError");
          assert.match(error.message, place);
          return true;
        },
      );
    refused(() => {}, /job "echo": argument 0 cannot be copied/);
    refused({ options: { onDone() {} } }, /argument 0 at \.options\.onDone/);
    refused([1, { "a b": Symbol("x") }], /argument 0 at \[1\]\["a b"\]/);
    refused(new Map([["key", new WeakMap()]]), /argument 0 at \.get\(key\)/);
    refused(
      {
        get bad() {
          throw new Error("no");
        },
      },
      /argument 0 at \.bad cannot be copied.*reading it throws/,
    );
    refused({ buffer: new SharedArrayBuffer(4) }, /argument 0 at \.buffer.*bare SharedArrayBuffer/);
    refused(Symbol("s"), /argument 0/);
    const many = Array.from({ length: 20 }, (_, k) => k as unknown);
    many[17] = { f() {} };
    assert.throws(() => jobs.run(work.echo as (...args: unknown[]) => unknown, ...many), /argument 17 at \.f/);
    assert.equal(await jobs.run(work.echo, "still here"), "still here");
  });
});

test("many arguments of all kinds", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const last = work.echo as (...args: unknown[]) => unknown;
    for (const count of [1, 2, 3, 4, 5, 8, 11, 12, 14, 15, 16, 40]) {
      assert.equal(await jobs.run(last, ...Array.from({ length: count }, (_, k) => k + 0.5)), 0.5);
      assert.equal(await jobs.run(last, ...Array.from({ length: count }, (_, k) => `s${k}`)), "s0");
    }
  });
});
