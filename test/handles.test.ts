/** A job that was given the handle of another one as an argument can read that job's outcome until it has settled itself. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  DependencyFailedError,
  type Job,
  JobCancelledError,
  JobFailedError,
  type JobSystem,
  JobTimeoutError,
  shared,
  WorkerCrashedError,
} from "heddle";
import * as work from "./support/handle-work.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";

/** Fails a test that hangs. */
const HANGS = { timeout: 200_000 };

const part = (name: string) => import(new URL(`../src/${name}.js`, import.meta.url).href);
const { Engine }: typeof import("../dist/api/engine.js") = await part("api/engine");
const { Functions }: typeof import("../dist/api/functions.js") = await part("api/functions");
const { layoutFor, REGION_WORDS, S_FUNCTION, S_PINS, SLOT_LOG }: typeof import("../dist/memory/layout.js") =
  await part("memory/layout");

const HANDLE_WORK = new URL("./support/handle-work.js", import.meta.url);

async function withWork(
  threads: readonly number[],
  body: (jobs: JobSystem, threads: number) => Promise<void>,
  maxJobs = 1000,
): Promise<void> {
  for (const count of threads) await withSystem({ threads: count, maxJobs }, (jobs) => body(jobs, count), HANDLE_WORK);
}

const newCells = (length = 2) => shared(Int32Array, length);
const turn = () => new Promise((resolve) => setImmediate(resolve));
const isSet = async (cells: Int32Array, at = 0) => {
  while (Atomics.load(cells, at) === 0) await turn();
};
const nameOf = (job: Job<unknown>) =>
  job.then(
    () => "none",
    (error: unknown) => (error as Error).name,
  );

/** Results of each kind in which they lie in memory. */
const VALUES: readonly unknown[] = [
  1.5,
  Number.NaN,
  undefined,
  null,
  true,
  "text",
  "two bytes a unit: \u4e16",
  { list: [1, { deep: "x" }], map: new Map([[1, "one"]]) },
  "x".repeat(100_000),
  new Uint8Array([1, 2, 3]),
  shared(Float64Array, [4, 5]),
  { inside: shared(Int32Array, [6]) },
];

test("a job and one that reads it through its handle are awaited together, or the latter alone", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 0; k < 100; k++) {
      const a = jobs.run(work.give<number>, k);
      const b = jobs.spawn(work.read<number>, a).after(a);
      assert.deepEqual(await Promise.all([a, b]), [k, k]);
      const c = jobs.run(work.give<number>, k);
      assert.equal(await jobs.spawn(work.readLater<number>, c).after(c), k);
      const d = jobs.spawn(work.give<number>, k);
      const e = jobs.spawn(work.read<number>, d).after(d);
      assert.equal(await e, k);
      assert.equal(await d, k);
    }
  });
});

test("the owner may have the outcome before the job that was given the handle reads it", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (const reader of [work.readWhenSet<unknown>, work.readLaterWhenSet<unknown>]) {
      for (const value of VALUES) {
        const cells = newCells();
        const a = jobs.run(work.give, value);
        const b = jobs.run(reader, cells, a);
        const c = jobs.spawn(reader, cells, a);
        assert.deepEqual(await a, value);
        Atomics.store(cells, 0, 1);
        assert.deepEqual(await b, value);
        assert.deepEqual(await c, value);
      }
    }
  });
});

test("a job whose result was taken over before is sent with it, alone and among other arguments", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (const value of VALUES) {
      const a = jobs.run(work.give, value);
      assert.deepEqual(await a, value);
      assert.deepEqual(await jobs.run(work.read, a), value);
      const b = jobs.run(work.give, value);
      assert.deepEqual(b.wait(), value);
      assert.deepEqual(await jobs.run(work.readLater, b), value);
      assert.deepEqual(await jobs.run(work.read, jobs.run(work.read, b)), value);
    }
    const [a, b, late] = [1, 20, 300].map((each) => jobs.run(work.give<number>, each));
    await Promise.all([a, b]);
    const cells = newCells();
    const few = jobs.run(work.sumWhenSet, cells, a, 4000, b);
    const many = jobs.run(work.sumWhenSet, cells, { n: 50_000 }, a, late, 4000, late, b, { n: 600_000 }, 0, a);
    await late;
    Atomics.store(cells, 0, 1);
    assert.equal(await few, 4021);
    assert.equal(await many, 654_622);
  });
});

test("a shared view that comes as a result through a handle is of the same memory", HANGS, async () => {
  await withWork([1, 2], async (jobs) => {
    const view = shared(Float64Array, [1]);
    const cells = newCells();
    const a = jobs.run(work.give, { view });
    const b = jobs.run(work.readWhenSet, cells, a) as Job<{ view: Float64Array }>;
    await a;
    const c = jobs.run(work.read, a) as Job<{ view: Float64Array }>;
    Atomics.store(cells, 0, 1);
    view[0] = 2;
    assert.equal((await b).view.buffer, view.buffer);
    assert.equal((await c).view.buffer, view.buffer);
  });
});

test("a result that cannot be copied, as its owner has changed it, makes the handle stale", HANGS, async () => {
  await withWork([1], async (jobs) => {
    const a = jobs.run(work.give<Record<string, unknown>>, { x: 1 });
    Object.assign(await a, { call: () => 1 });
    assert.equal(await jobs.run(work.outcomeWhenSet, shared(Int32Array, [1]), a), "StaleJobError");
  });
});

test("to await a job does not take waiting for those that have its handle, scheduled or not", HANGS, async () => {
  await withWork([1, 2], async (jobs) => {
    const a = jobs.run(work.give<string>, "a");
    const never = jobs.spawn(work.read<string>, a);
    const cells = newCells();
    const waits = jobs.run(work.readWhenSet<string>, cells, a);
    assert.equal(await a, "a");
    assert.equal(waits.settled, false);
    Atomics.store(cells, 0, 1);
    assert.equal(await waits, "a");
    assert.equal(await never, "a");
  });
});

test("failures come through handles, also when the owner has them before", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 0; k < 20; k++) {
      const cells = newCells();
      const a = jobs.run(work.fail, "early");
      const b = jobs.run(work.readWhenSet<unknown>, cells, a);
      const c = jobs.run(work.outcomeWhenSet, cells, a);
      await assert.rejects(async () => await a, /early/);
      Atomics.store(cells, 0, 1);
      await assert.rejects(async () => await b, /early/);
      await assert.rejects(async () => await jobs.run(work.readLater<unknown>, a), /early/);
      assert.equal(await c, "JobFailedError");
    }
  });
});

test("jobs of a group read through handles, as long as the group is not done", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 1; k < 30; k++) {
      const results = newCells(10);
      const cells = newCells();
      const gate = jobs.group();
      gate.run(work.hold, cells, 0);
      await isSet(cells);
      const a = jobs.run(work.give<number>, k);
      const group = jobs.group();
      for (let at = 0; at < 10; at++) group.run(work.store, results, at, a);
      Atomics.store(cells, 1, 1);
      assert.equal(await a, k);
      await group;
      await gate;
      assert.deepEqual([...results], new Array(10).fill(k));
      assert.equal(await jobs.run(work.lendToGroup, 20), 140);
    }
  });
});

test("a job passes a handle on to jobs that it waits for, and what it has read to any", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 1; k < 50; k++) {
      const cells = newCells();
      const a = jobs.run(work.give<number>, k);
      const b = jobs.run(work.passOn, cells, a);
      assert.deepEqual(await Promise.all([a, b]), [k, k]);
      await isSet(cells, 1);
      assert.equal(cells[1], k);
    }
  });
});

test("workers lend the jobs that they have spawned", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 0; k < 50; k++) {
      const all = [1, 2, 3].map((each) => jobs.run(work.lendHere, `${each}`));
      assert.deepEqual(await Promise.all(all), ["1 1 1", "2 2 2", "3 3 3"]);
    }
  });
});

/** Each job reads up to three earlier ones; `own` are their own parts. */
function randomGraph(seed: number, size: number): { own: number[]; before: number[][] } {
  let state = seed | 1;
  const random = (below: number) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
  const own = Array.from({ length: size }, () => random(1000));
  const before = own.map((_, k) => (k === 0 ? [] : Array.from({ length: random(4) }, () => random(k))));
  return { own, before };
}

test("random graphs of handles: all awaited at once, the results are those of a plain computation", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs, threads) => {
    for (let round = 0; round < bound(12, 50); round++) {
      const { own, before } = randomGraph(1000 * threads + round, 40);
      const expected: number[] = [];
      own.forEach((each, k) => {
        expected.push(before[k].reduce((sum, first) => (sum + expected[first]) % 1_000_003, each));
      });
      const all: Job<number>[] = [];
      own.forEach((each, k) => {
        const given = before[k].map((first) => all[first]);
        // Without links only such as await: a job that waits may be inside another, which it then must not wait for.
        if (each % 3 > 0) all.push(jobs.spawn(work.sum, each, ...given).after(...given));
        else if (each % 2 > 0) all.push(jobs.spawn(work.sumLater, each, ...given).after(...given));
        else all.push(jobs.spawn(work.sumLater, each, ...given));
      });
      assert.deepEqual(await Promise.all(all), expected);
      const late = all.map((job) => jobs.run(work.read<number>, job));
      assert.deepEqual(await Promise.all(late), expected);
    }
  });
});

test("random graphs of handles with failures: those fail that fail or read one that has", HANGS, async () => {
  await withWork(bound([2], [1, 2, 3]), async (jobs, threads) => {
    for (let round = 0; round < bound(12, 50); round++) {
      const { own, before } = randomGraph(7000 * threads + round, 40);
      const parts = own.map((each) => each % 12);
      const fails: boolean[] = [];
      parts.forEach((part, k) => {
        fails.push(part === 0 || before[k].some((first) => fails[first]));
      });
      const all: Job<number>[] = [];
      parts.forEach((part, k) => {
        all.push(jobs.spawn(work.sumOrFail, part, ...before[k].map((first) => all[first])));
      });
      const outcomes = await Promise.allSettled(all);
      assert.deepEqual(
        outcomes.map(({ status }) => status === "rejected"),
        fails,
      );
      for (const outcome of outcomes) {
        if (outcome.status === "fulfilled") continue;
        const { reason } = outcome;
        assert.ok(reason instanceof JobFailedError && /own is 0/.test(reason.message), reason);
      }
    }
  });
});

test("the slots of lent jobs are free when those that had their handles have settled", HANGS, async () => {
  await withWork(
    bound([2], [1, 2, 3]),
    async (jobs) => {
      for (let round = 0; round < bound(80, 300); round++) {
        const a = jobs.run(work.give<number>, round);
        const some = Array.from({ length: 8 }, () => jobs.spawn(work.read<number>, a).after(a));
        some.push(jobs.spawn(work.sum, 0, a, some[0], a).after(a, ...some));
        const group = jobs.group();
        group.run(work.store, newCells(), 0, a);
        assert.equal(await some[8], (3 * round) % 1_000_003);
        assert.equal(await a, round);
        await group;
      }
    },
    40,
  );
});

/** A main thread's engine without workers, whose memory has little room: it executes jobs while it waits. */
async function smallEngine() {
  const whole = layoutFor(3, 100);
  const layout = { ...whole, maxWords: whole.baseWords + 9 * REGION_WORDS };
  return new Engine(undefined, layout, 0, await Functions.load([{ url: HANDLE_WORK.href }]), 64, [], () => {});
}

test("what results take that were lent or sent with handles is freed: strings, clones, failures", HANGS, async () => {
  const engine = await smallEngine();
  const spawn = (fn: unknown, value: unknown) =>
    engine.spawn(fn, 1, value, undefined, undefined, undefined, []) as Job<unknown>;
  const text = "x".repeat(200_000);
  for (const value of [text, [text]]) {
    for (let round = 0; round < 50; round++) {
      const a = spawn(work.give, value);
      // Of a job that is not made nothing is left.
      assert.throws(() => engine.spawn(work.sum, 2, a, () => 1, undefined, undefined, []), /argument 1/);
      const unread = spawn(work.read, a);
      const b = spawn(work.read, a);
      assert.deepEqual(engine.wait(a), value);
      assert.deepEqual(engine.wait(b), value);
      assert.deepEqual(engine.wait(unread), value);
      // One that is sent with its result, and not read.
      assert.throws(() => engine.spawn(work.sum, 2, a, () => 1, undefined, undefined, []), /argument 1/);
      assert.deepEqual(engine.wait(spawn(work.read, a)), value);
      const failed = spawn(work.fail, "x".repeat(20_000));
      const c = spawn(work.read, failed);
      assert.throws(() => engine.wait(failed), /xxx/);
      assert.throws(() => engine.wait(c), /xxx/);
    }
  }
});

test("shared memory in results that were lent or sent with handles travels no more afterwards", HANGS, async () => {
  const engine = await smallEngine();
  const spawn = (fn: unknown, value: unknown) =>
    engine.spawn(fn, 1, value, undefined, undefined, undefined, []) as Job<unknown>;
  const { objects } = engine.codec;
  const view = shared(Int32Array, [1]);
  for (const value of [view, { view }]) {
    const a = spawn(work.give, value);
    const b = spawn(work.read, a);
    engine.wait(a);
    engine.wait(b);
    engine.wait(spawn(work.read, a));
    const number = objects.depart(view.buffer as unknown as SharedArrayBuffer);
    // Only this one.
    assert.equal(engine.context.memory.i32[number], 1);
    objects.end(number);
  }
});

test(
  "handles of cancelled jobs, and of those whose time is over, are read as long as they are lent",
  HANGS,
  async () => {
    await withWork(
      [2, 3],
      async (jobs) => {
        for (let round = 0; round < bound(12, 40); round++) {
          const cells = newCells();
          const controller = new AbortController();
          const { signal } = controller;
          const before = jobs.run(work.hold, cells, 0);
          await isSet(cells);
          const a = jobs
            .spawn(work.give<number>, 1)
            .after(before)
            .with({ signal })
            .schedule();
          const readable = newCells();
          const b = jobs.run(work.outcomeWhenSet, readable, a);
          // One that is cancelled itself.
          const c = jobs
            .spawn(work.read<number>, a)
            .after(before)
            .with({ signal })
            .schedule();
          controller.abort();
          // The outcome comes while the job waits for `before`, or when it has been taken from a queue since.
          if (round % 2 === 0) Atomics.store(cells, 1, 1);
          await assert.rejects(async () => await a, JobCancelledError);
          await assert.rejects(async () => await c, JobCancelledError);
          if (round % 4 === 0) await before;
          Atomics.store(readable, 0, 1);
          assert.equal(await b, "JobCancelledError");
          Atomics.store(cells, 1, 1);
          await before;
        }
      },
      30,
    );
    await withWork(
      [2, 3],
      async (jobs) => {
        for (let round = 0; round < bound(6, 20); round++) {
          const cells = newCells();
          const readable = newCells();
          const late = jobs.spawn(work.hold, cells, 1).with({ timeout: 1 });
          const b = jobs.run(work.outcomeWhenSet, readable, late);
          await assert.rejects(async () => await late, JobTimeoutError);
          if (round % 2 === 0) Atomics.store(cells, 1, 1);
          Atomics.store(readable, 0, 1);
          assert.equal(await b, "JobTimeoutError");
          Atomics.store(cells, 1, 1);
        }
      },
      30,
    );
  },
);

test(
  "a cancelled job that another thread looks at while its outcome is taken over gives its slot back",
  HANGS,
  async () => {
    const engine = await smallEngine();
    const { context } = engine;
    const nothing = () => engine.spawn(work.give, 0, undefined, undefined, undefined, undefined, []);
    const controller = new AbortController();
    const before = nothing();
    const job = nothing().after(before).with({ signal: controller.signal });
    engine.spawn(work.read, 1, before, undefined, undefined, undefined, []);
    job.schedule();
    const address = (job as unknown as { _slot: number })._slot << SLOT_LOG;
    context.memory.i32[address + S_PINS] = 1;
    controller.abort();
    context.memory.i32[address + S_PINS] = 0;
    engine.takeOver();
    assert.throws(() => job.wait(), { name: "JobCancelledError" });
    // Taken from the queue when what it depends on has finished, and not before.
    assert.notEqual(context.memory.i32[address + S_FUNCTION], 0);
    before.wait();
    nothing().after(before).wait();
    engine.takeOver();
    assert.equal(context.memory.i32[address + S_FUNCTION], 0);
  },
);

test(
  "a job that is run again after a crash reads through its handle; one that crashes gives it back",
  HANGS,
  async () => {
    await withWork(
      [2],
      async (jobs) => {
        for (let round = 0; round < bound(2, 6); round++) {
          const a = jobs.run(work.give<string>, "kept");
          const b = jobs.spawn(work.exitThenRead<string>, newCells(), a).with({ retries: 1 });
          // Not before: else `b` could execute it while it waits, and die once too often.
          const c = jobs.spawn(work.exitThenRead<string>, newCells(), a).after(a);
          assert.equal(await a, "kept");
          const d = jobs.spawn(work.exitThenRead<string>, newCells(), a).with({ retries: 1 });
          assert.equal(await b, "kept");
          await assert.rejects(async () => await c, WorkerCrashedError);
          assert.equal(await d, "kept");
          for (let k = 0; k < 50; k++) assert.equal(await jobs.spawn(work.read<string>, a).after(a), "kept");
        }
      },
      30,
    );
  },
);

test("an owner that dies gives up what it has lent", HANGS, async () => {
  await withWork(
    [2],
    async (jobs) => {
      for (let round = 0; round < bound(3, 10); round++) {
        const cells = newCells();
        await assert.rejects(async () => await jobs.run(work.exitAsOwner, cells, "x".repeat(1000)), WorkerCrashedError);
        Atomics.store(cells, 0, 1);
        for (let k = 0; k < 20; k++) assert.equal(await jobs.run(work.lendHere, "x"), "x x x");
      }
    },
    30,
  );
});

test("a shutdown, also by force, ends with lent jobs of every kind", HANGS, async () => {
  for (const force of [false, true]) {
    const outcomes: Promise<string>[] = [];
    await withWork([1, 2], async (jobs) => {
      const cells = newCells();
      const a = jobs.run(work.give<number>, 1);
      const b = jobs.run(work.hold<number>, cells, 2);
      const never = jobs.spawn(work.give<number>, 3);
      for (const job of [a, b, never]) {
        outcomes.push(nameOf(jobs.spawn(work.read<number>, job).after(b)));
        jobs.spawn(work.read<number>, job);
      }
      // Of a group that nobody waits for, the failure would be reported.
      if (!force) jobs.group().run(work.store, newCells(), 0, a);
      await a;
      await isSet(cells);
      const down = jobs.shutdown({ force });
      Atomics.store(cells, 1, 1);
      await down;
    });
    for (const name of await Promise.all(outcomes)) {
      assert.ok(name === "none" || force || name === DependencyFailedError.name, name);
    }
  }
});
