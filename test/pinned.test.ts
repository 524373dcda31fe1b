import assert from "node:assert/strict";
import test from "node:test";
import { type Job, JobFailedError, JobSystem, ShutdownError, shared, WouldBlockError } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/placed-work.js";
import { runModule } from "./support/programs.js";
import { BUN, DENO } from "./support/runtime.js";
import { PLACED_WORK, withSystem } from "./support/systems.js";
import { type Placement, withPlacement } from "./support/with.js";

const PINNED: Placement = { on: "main" };

const orderOf = (log: Int32Array) => Array.from(log.subarray(1, 1 + log[0]));
const turn = () => new Promise((resolve) => setImmediate(resolve));

async function withWorkers(
  threads: readonly number[],
  body: (jobs: JobSystem, threads: number) => Promise<void>,
  maxJobs = 10_000,
): Promise<void> {
  for (const count of threads) {
    await withSystem({ threads: count, maxJobs }, (jobs) => body(jobs, count), PLACED_WORK);
  }
}

test("a pinned job runs on the creating thread, whoever makes it ready and waits for it", HANGS, async () => {
  await withWorkers(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 0; k < 30; k++) {
      assert.equal(await withPlacement(jobs.spawn(work.here), PINNED), true);
      assert.equal(withPlacement(jobs.spawn(work.here), PINNED).wait(), true);
      const after = withPlacement(jobs.spawn(work.here), PINNED).after(jobs.spawn(work.nothing));
      if (k % 2 === 0) assert.equal(await after, true);
      else assert.equal(after.wait(), true);
      const back = jobs.spawn(work.add, k, 1).after(withPlacement(jobs.spawn(work.copy, [k]), PINNED));
      if (k % 2 === 0) assert.equal(await back, k + 1);
      else assert.equal(back.wait(), k + 1);
    }
    assert.deepEqual(await withPlacement(jobs.spawn(work.copy, { a: [1] }), PINNED), {
      value: { a: [1] },
      isMainThread: true,
    });
  });
});

test("workers make pinned jobs, wait for them and await them, and pinned jobs those of workers", HANGS, async () => {
  await withWorkers(bound([2], [1, 2, 3]), async (jobs) => {
    for (let k = 0; k < 50; k++) {
      assert.equal(await jobs.run(work.waitForPlaced, k, 1, PINNED), k + 1);
      assert.equal(jobs.run(work.waitForPlaced, k, 2, PINNED).wait(), k + 2);
      assert.equal(await jobs.run(work.awaitPlaced, k, 3, PINNED), k + 3);
      assert.equal(await withPlacement(jobs.spawn(work.waitForPlaced, k, 4, {}), PINNED), k + 4);
      assert.equal(withPlacement(jobs.spawn(work.waitForPlaced, k, 5, {}), PINNED).wait(), k + 5);
      const own = withPlacement(jobs.spawn(work.add, k, 6), PINNED);
      assert.equal(await jobs.run(work.waitForIt, own), k + 6);
    }
    assert.equal(await jobs.run(work.fib, 12, 5), 144);
    assert.equal(jobs.run(work.fib, 12, 5).wait(), 144);
  });
});

test("they run in the order in which they become ready", HANGS, async () => {
  await withWorkers([1, 3], async (jobs) => {
    for (const synchronously of [false, true]) {
      const order = shared(Int32Array, 300);
      const all = Array.from({ length: 100 }, (_, id) => withPlacement(jobs.spawn(work.log, order, id), PINNED));
      for (const job of all) job.schedule();
      if (synchronously) all[99].wait();
      else await all[99];
      assert.deepEqual(
        orderOf(order),
        Array.from({ length: 100 }, (_, id) => id),
      );
    }
  });
});

test("a pinned job that throws fails as any other, and what follows it does not run", HANGS, async () => {
  const unseen: Error[] = [];
  await withWorkers([1, 2], async (jobs) => {
    jobs.on("error", (error) => unseen.push(error));
    const failed = withPlacement(jobs.spawn(work.fail, "on main"), PINNED);
    const next = jobs.spawn(work.nothing).after(failed);
    await assert.rejects(async () => await next, /on main/);
    await assert.rejects(async () => await failed, JobFailedError);
    assert.throws(() => withPlacement(jobs.spawn(work.fail, "at once"), PINNED).wait(), /at once/);
    const tainted = withPlacement(jobs.spawn(work.here), PINNED).after(jobs.spawn(work.fail, "before"));
    await assert.rejects(async () => await tainted, /before/);
    withPlacement(jobs.spawn(work.fail, "unseen"), PINNED).schedule();
    await until(() => unseen.length > 0);
    assert.match((unseen.pop() as Error).message, /unseen/);
  });
});

test("a pinned job may be asynchronous, and makes jobs before and after it awaits", HANGS, async () => {
  await withWorkers([1, 2], async (jobs) => {
    assert.equal(await withPlacement(jobs.spawn(work.later, 7), PINNED), 7);
    const many = Array.from({ length: 200 }, (_, k) => withPlacement(jobs.spawn(work.addLater, k, 1), PINNED));
    assert.deepEqual(
      await Promise.all(many),
      many.map((_, k) => k + 1),
    );
    assert.equal(await jobs.spawn(work.add, 1, 2).after(withPlacement(jobs.spawn(work.later, 1), PINNED)), 3);
  });
});

test(
  "a synchronous wait on the main thread for what only its event loop can bring about ends with an error",
  HANGS,
  async () => {
    await withWorkers([1, 2], async (jobs, threads) => {
      for (let k = 0; k < 3; k++) {
        const later = withPlacement(jobs.spawn(work.later, k), PINNED);
        assert.throws(() => later.wait(), WouldBlockError);
        assert.equal(await later, k);
        const waiting = jobs.run(work.waitForLater, k);
        // With two workers, the main thread may execute it itself.
        if (threads === 1) assert.throws(() => waiting.wait(), WouldBlockError);
        assert.equal(await waiting, k);
        // One that has started.
        const cells = shared(Int32Array, 2);
        const started = withPlacement(jobs.spawn(work.whenSet, cells), PINNED).schedule();
        await until(() => Atomics.load(cells, 0) === 1);
        assert.throws(() => started.wait(), WouldBlockError);
        cells[1] = 1;
        await started;
      }
      // While one is set aside, others run.
      const later = withPlacement(jobs.spawn(work.later, 9), PINNED).schedule();
      assert.equal(withPlacement(jobs.spawn(work.add, 1, 2), PINNED).wait(), 3);
      assert.equal(jobs.run(work.waitForPlaced, 3, 4, PINNED).wait(), 7);
      assert.equal(await later, 9);
    });
  },
);

test("pinned jobs may wait inside each other 512 deep, and are told when it is too deep", HANGS, async () => {
  await withWorkers([1, 2], async (jobs) => {
    // The runners of Bun's and Deno's tests enter an asynchronous context, and with any jobs wait half as deep.
    const deepest = BUN || DENO ? 256 : 512;
    assert.equal(await withPlacement(jobs.spawn(work.down, 600, PINNED), PINNED), deepest);
    // Those that could not be waited for have run when this has.
    assert.equal(await withPlacement(jobs.spawn(work.here), PINNED), true);
    assert.equal(withPlacement(jobs.spawn(work.down, 600, PINNED), PINNED).wait(), deepest - 1);
    assert.equal(await jobs.run(work.waitForPlaced, 1, 2, PINNED), 3);
  });
});

test("the event loop turns while there is always another pinned job", HANGS, async () => {
  await withWorkers([1, 2], async (jobs) => {
    const cells = shared(Int32Array, 2);
    // It runs again until the event loop has come to set this.
    withPlacement(jobs.spawn(work.untilSet, cells, PINNED), PINNED).schedule();
    await until(() => Atomics.load(cells, 1) >= 1000);
    Atomics.store(cells, 0, 1);
  });
});

test("in a full arena, jobs on the main thread make room", HANGS, async () => {
  await withWorkers(
    [1, 2],
    async (jobs) => {
      for (const placement of [PINNED, {}]) {
        for (const wait of [false, true]) {
          const cells = shared(Int32Array, 2);
          const filling = withPlacement(jobs.spawn(work.fill, cells, 300, placement), PINNED);
          if (wait) filling.wait();
          else await filling;
          assert.equal(cells[0], 300);
          await until(() => Atomics.load(cells, 1) === 300);
        }
      }
    },
    64,
  );
});

test(
  "a group is done although the main thread has run some of its jobs while it waited for another",
  HANGS,
  async () => {
    await withWorkers([2], async (jobs) => {
      for (let k = 0; k < 200; k++) {
        const cells = shared(Int32Array, 1);
        const group = jobs.group();
        for (let j = 0; j < 100; j++) group.run(work.count, cells, 0);
        jobs.run(work.nothing).wait();
        await group;
        assert.equal(cells[0], 100);
      }
    });
  },
);

test("shutdown runs pinned jobs and what follows them", HANGS, async () => {
  for (let round = 0; round < bound(3, 6); round++) {
    const cells = shared(Int32Array, 1);
    const outcomes: Promise<unknown>[] = [];
    await withWorkers(bound([2], [1, 2, 3]), async (jobs) => {
      jobs.run(work.pass, cells, 7);
      const after = jobs.spawn(work.count, cells, 0).after(withPlacement(jobs.spawn(work.later, 1), PINNED));
      outcomes.push(after.schedule().then(() => {}));
      if (round % 3 === 1) withPlacement(jobs.spawn(work.here), PINNED).wait();
      if (round % 3 === 2) await turn();
    });
    await Promise.all(outcomes);
    assert.equal(cells[0], outcomes.length * 9);
  }
});

test("a shutdown that the main thread waits through runs pinned jobs and what follows them", HANGS, async () => {
  for (let round = 0; round < bound(1, 3); round++) {
    await withWorkers(bound([2], [1, 2, 3]), async (jobs) => {
      const cells = shared(Int32Array, 1);
      jobs.run(work.pass, cells, 7);
      const own = withPlacement(jobs.spawn(work.waitForPlaced, 1, 2, {}), PINNED);
      const last = jobs.spawn(work.add, 3, 4).after(withPlacement(jobs.spawn(work.here), PINNED).after(own));
      last.schedule();
      const stopped = jobs.shutdown();
      assert.equal(own.wait(), 3);
      await stopped;
      assert.equal(await last, 7);
      assert.equal(cells[0], 8);
    });
  }
});

test(
  "shutdown by force cancels pinned jobs that have not started, and waits for none that is suspended",
  HANGS,
  async () => {
    for (const threads of bound([2], [1, 2])) {
      const jobs = await JobSystem.create({ threads, modules: [PLACED_WORK] });
      const cells = shared(Int32Array, 3);
      const suspended = withPlacement(jobs.spawn(work.whenSet, cells), PINNED);
      const outcomes: Promise<unknown>[] = [assert.rejects(async () => await suspended, ShutdownError)];
      await until(() => Atomics.load(cells, 0) === 1);
      for (let k = 0; k < 20; k++) {
        const pinned: Job<void> = withPlacement(jobs.spawn(work.count, cells, 2), PINNED);
        outcomes.push(assert.rejects(async () => await pinned.schedule(), ShutdownError));
      }
      await jobs.shutdown({ force: true });
      await Promise.all(outcomes);
      assert.equal(cells[2], 0);
      cells[1] = 1;
    }
  },
);

/** Numbers from a seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
}

/** How a graph comes to its end. */
type End = "awaited" | "waited for" | "shut down" | "by force";

async function checkGraph(jobs: JobSystem, seed: number, size: number, end: End): Promise<void> {
  const random = randomFrom(seed);
  const done = shared(Int32Array, size + 1);
  const all: Job<number>[] = [];
  const placements: Placement[] = [
    { priority: "high" },
    { priority: "low" },
    {},
    PINNED,
    { priority: "low", on: "main" },
  ];
  // Asynchronous ones cannot go on where the main thread waits synchronously.
  const asynchronous = end !== "waited for";
  for (let k = 0; k < size; k++) {
    const before = new Set<number>();
    if (k > 0) for (let e = random(4); e > 0; e--) before.add(random(2) ? random(k) : Math.max(0, k - 1 - random(8)));
    const placement = placements[random(placements.length)];
    const fn: (...args: work.NodeArguments) => number | Promise<number> =
      asynchronous && random(8) === 0 ? work.nodeLater : work.node;
    const job = jobs.spawn(fn, done, k, [...before], placement.on === "main");
    all.push(withPlacement(job, placement).after(...[...before].map((first) => all[first])));
  }
  for (const job of all) job.schedule();
  const outcomes = Promise.allSettled(all);
  if (end === "waited for") for (const job of all) job.wait();
  if (end === "by force") for (let k = random(3); k > 0; k--) await turn();
  if (end === "shut down" || end === "by force") await jobs.shutdown({ force: end === "by force" });
  const settled = await outcomes;
  assert.equal(done[size], 0, "a job ran before one of its prerequisites, or on another thread");
  settled.forEach((outcome, k) => {
    if (end === "by force" && outcome.status === "rejected") return;
    assert.deepEqual(outcome, { status: "fulfilled", value: 2 * k });
    assert.equal(done[k], 1, `job ${k} ran ${done[k]} times`);
  });
}

test(
  "random graphs, placed at random: each job runs once, where it should, after its prerequisites",
  HANGS,
  async () => {
    const run = process.pid;
    await withWorkers(bound([2], [1, 2, 3, 4]), async (jobs) => {
      for (let k = 0; k < bound(8, 30); k++) {
        const size = k % 15 === 7 ? 600 : 1 + (k % 50);
        await checkGraph(jobs, run * 100 + k, size, k % 2 === 0 ? "awaited" : "waited for");
      }
    });
    for (let k = 0; k < bound(4, 16); k++) {
      const jobs = await JobSystem.create({ threads: 1 + (k % 4), modules: [PLACED_WORK] });
      await checkGraph(jobs, run * 1000 + k, 5 + 4 * k, k % 8 < 4 ? "shut down" : "by force");
    }
  },
);

test("pinned jobs that nobody awaits do not keep the process alive; one that is awaited does", HANGS, () => {
  const program = (last: string) => `
    import { JobSystem } from "heddle";
    import * as work from ${JSON.stringify(PLACED_WORK.href)};
    import { withPlacement } from ${JSON.stringify(new URL("./support/with.js", import.meta.url).href)};
    const jobs = await JobSystem.create({ threads: 2, modules: [${JSON.stringify(PLACED_WORK.href)}] });
    const cells = new Int32Array(new SharedArrayBuffer(8));
    withPlacement(jobs.spawn(work.untilSet, cells, { on: "main" }), { on: "main" }).schedule();
    ${last}`;
  const unawaited = runModule(program(""));
  assert.equal(unawaited.status, 0, unawaited.stderr);
  const awaited = runModule(
    program('await withPlacement(jobs.spawn(work.later, 1), { on: "main" }); console.log("awaited", cells[1] > 0);'),
  );
  assert.equal(awaited.stdout, "awaited true\n", awaited.stderr);
});
