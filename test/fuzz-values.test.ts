import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { JobFailedError, PayloadTooLargeError, shared } from "heddle";
import { anyOdd, anyPlaces, assertHelpful, check, stillWorks, withOddSystem } from "./support/fuzz.js";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { nested, ODD_NAMES, oddIn } from "./support/odd.js";
import * as work from "./support/odd-work.js";
import { BUN } from "./support/runtime.js";

const ignore = work.ignore as (...values: unknown[]) => number;

test("odd arguments arrive, or are refused with their place", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const attempt = async (args: readonly unknown[]) => {
      let job: PromiseLike<number>;
      try {
        job = jobs.run(ignore, ...args);
      } catch (error) {
        assertHelpful(error);
        assert.match(error.message, /^job "ignore": argument \d+/);
        return;
      }
      assert.equal(await job, 1);
    };
    for (const name of ODD_NAMES) await attempt([oddIn(name, [])]);
    await check(
      fc.asyncProperty(fc.array(fc.tuple(anyOdd, anyPlaces), { maxLength: 12 }), async (odd) => {
        await attempt(odd.map(([name, places]) => oddIn(name, places)));
        assert.equal(await jobs.run(work.add, 1, 2), 3);
      }),
      bound(50, 300),
    );
    await stillWorks(jobs);
  });
});

test("odd arguments of a group's jobs", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const group = jobs.group();
    await check(
      fc.asyncProperty(anyOdd, anyPlaces, async (name, places) => {
        try {
          group.run(ignore, oddIn(name, places), 1, 2);
        } catch (error) {
          assertHelpful(error);
        }
        await group;
      }),
      bound(40, 200),
    );
    await stillWorks(jobs);
  });
});

test("odd results arrive, or the job fails and says why", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const attempt = async (name: (typeof ODD_NAMES)[number], places: Parameters<typeof work.returnOdd>[1]) => {
      const job = jobs.run(work.returnOdd, name, places);
      const outcome = await job.then(
        () => undefined,
        (error: unknown) => error,
      );
      if (outcome === undefined) return;
      assert.ok(outcome instanceof JobFailedError);
      assert.throws(() => job.wait(), JobFailedError);
    };
    for (const name of ODD_NAMES) await attempt(name, []);
    await check(
      fc.asyncProperty(anyOdd, anyPlaces, async (name, places) => {
        await attempt(name, places);
        assert.equal(await jobs.run(work.add, 1, 2), 3);
      }),
      bound(50, 300),
    );
    await stillWorks(jobs);
  });
});

test("values that are nested too deeply are refused, or fail where they cannot be read", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    assert.throws(() => jobs.run(ignore, nested(100_000)), /argument 0 cannot be copied.*nested too deeply/);
    // Bun's main thread has as large a stack as its workers.
    for (const name of BUN ? (["deep"] as const) : (["deep", "deep for a small stack"] as const)) {
      await assert.rejects(async () => await jobs.run(work.returnOdd, name, []), /nested too deeply/);
      const results = Array.from({ length: 20 }, () => jobs.run(work.returnOdd, name, []));
      for (const each of await Promise.allSettled(results)) assert.equal(each.status, "rejected");
      assert.throws(() => jobs.run(work.returnOdd, name, []).wait(), /nested too deeply/);
    }
    await stillWorks(jobs);
  });
});

test("values that no block can hold are refused as too large", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    const large = new ArrayBuffer(2 ** 30);
    for (const value of [large, new Uint8Array(large), { inside: [new DataView(large)] }]) {
      assert.throws(
        () => jobs.run(ignore, value),
        (error: unknown) => {
          assert.ok(error instanceof PayloadTooLargeError);
          assert.equal(error.bytes, 2 ** 30);
          assert.ok(error.maxBytes < error.bytes);
          assert.match(error.message, /job "ignore".*1073741824 bytes.*shared\(/);
          return true;
        },
      );
    }
    await assert.rejects(
      async () => await jobs.run(work.returnLarge, 2 ** 30),
      (error: unknown) => error instanceof JobFailedError && /too large/.test(error.message),
    );
    await stillWorks(jobs);
  });
});

test(
  "views of odd buffers: what is detached or out of bounds is refused, what tracks a length has the present one",
  HANGS,
  async () => {
    await withOddSystem({ threads: 2 }, async (jobs) => {
      for (const name of [
        "detached buffer",
        "detached view",
        "detached view inside",
        "view out of bounds",
        "data view out of bounds",
      ] as const) {
        assert.throws(
          () => jobs.run(ignore, oddIn(name, [])),
          /argument 0.* cannot be copied.*(detached|out of bounds)/i,
        );
      }
      const growable = new SharedArrayBuffer(8, { maxByteLength: 64 });
      const tracking = new Uint8Array(growable, 4);
      assert.equal(await jobs.run(work.lengthOf, tracking), 4);
      growable.grow(16);
      assert.equal(await jobs.run(work.lengthOf, tracking), 12);
      assert.equal(await jobs.run(work.lengthOf, new Uint16Array(new ArrayBuffer(8, { maxByteLength: 64 }), 2)), 3);
      const disguised = Object.setPrototypeOf(new Uint8Array([7, 8]), Object.prototype);
      assert.equal(await jobs.run(work.lengthOf, disguised), 2);
      await stillWorks(jobs);
    });
  },
);

test("a handle of another system is refused as that", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    await withOddSystem({ threads: 1 }, (other) => {
      const foreign = other.spawn(work.add, 1, 2);
      assert.throws(() => jobs.run(ignore, foreign), /argument 0.*job "add" belongs to another JobSystem/);
      assert.throws(() => jobs.run(ignore, { foreign }), /argument 0 at \.foreign.*a Job, which goes by reference/);
      const own = jobs.spawn(work.add, 1, 2);
      for (const attempt of [() => own.then(foreign), () => foreign.then(own), () => own.after(foreign)]) {
        assert.throws(attempt, /belongs to another JobSystem/);
      }
      assert.throws(() => jobs.chain(own, foreign), /belongs to another JobSystem/);
    });
    await stillWorks(jobs);
  });
});

test("getters that use the system while their object is being copied", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const inner: PromiseLike<number>[] = [];
    const busy = (k: number) => ({
      get value() {
        inner.push(jobs.run(work.add, k, 1));
        jobs.run(work.add, k, 2).wait();
        return { k };
      },
    });
    for (let k = 0; k < 50; k++) assert.equal(await jobs.run(ignore, busy(k), "text", busy(k)), 1);
    assert.equal(inner.length, 100);
    assert.deepEqual(
      await Promise.all(inner),
      inner.map((_, k) => (k >> 1) + 1),
    );
    await stillWorks(jobs);
  });
});

test("ten thousand arguments, spread and sparse", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const numbers = Array.from({ length: 10_000 }, (_, k) => k);
    assert.equal(await jobs.run(work.sum, ...numbers), 49_995_000);
    assert.equal(await jobs.run(ignore, ...new Array(10_000)), 1);
    const group = jobs.group();
    const cells = shared(Int32Array, 1);
    group.run(work.addTo, cells, ...numbers);
    await group;
    assert.equal(cells[0], 10_000);
    const last: unknown[] = [...numbers];
    last[9_999] = { f() {} };
    assert.throws(() => jobs.run(ignore, ...last), /argument 9999 at \.f/);
    await stillWorks(jobs);
  });
});
