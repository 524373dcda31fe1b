/** Jobs that wait in jobs: a stack is as deep as the program nests its waits, however many jobs are ready. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArenaFullError, Channel, type Job, type JobSystem, shared, WaitGroup } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";
import * as work from "./support/nesting-work.js";
import { withSystem } from "./support/systems.js";

const NESTING_WORK = new URL("./support/nesting-work.js", import.meta.url);
/** More than the 61 jobs after which a worker looks at what was submitted. */
const WIDE = 100;
const LOOPS = bound(150, 400);
/** Loops that have loops inside. */
const OUTER = bound(6, 20);

async function withThreads(threads: number, body: (jobs: JobSystem) => Promise<void>): Promise<void> {
  await withSystem({ threads }, body, NESTING_WORK);
}

type Loop = (deepest: Int32Array, ...widths: number[]) => void;

/** Runs `loops` loops at once. @returns how deep waits were inside each other */
async function deepest(jobs: JobSystem, loop: Loop, loops: number, ...widths: number[]): Promise<number> {
  const noted = shared(Int32Array, 1);
  await Promise.all(Array.from({ length: loops }, () => jobs.run(loop, noted, ...widths)));
  return noted[0];
}

for (const threads of bound([2], [1, 2, 4, 8])) {
  test(`loops in many jobs at once, ${threads} threads: no wait is inside another loop's`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      assert.equal(await deepest(jobs, work.loopByGroup, LOOPS, WIDE), 1, "groups");
      assert.equal(await deepest(jobs, work.loopByEach, LOOPS, WIDE), 1, "handles");
      assert.equal(await deepest(jobs, work.loopByLast, LOOPS, WIDE), 1, "continuations");
    });
  });

  test(`loops in loops in loops, ${threads} threads: as deep as they are nested`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      assert.equal(await deepest(jobs, work.loopByGroup, OUTER, 8, 12, 9), 3, "groups");
      assert.equal(await deepest(jobs, work.loopByEach, OUTER, 8, 12, 9), 3, "handles");
      assert.equal(await deepest(jobs, work.loopByLast, OUTER, 8, 12, 9), 3, "continuations");
    });
  });

  test(`a wait for what may be another's job stays shallow, ${threads} threads`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      const most = 40;
      const depth = await deepest(jobs, work.loopByCount, LOOPS, WIDE);
      assert.ok(depth <= most, `wait groups: ${depth} deep`);
      const noted = shared(Int32Array, 1);
      await Promise.all(Array.from({ length: bound(300, 1000) }, () => jobs.run(work.loopByMain, noted)));
      assert.ok(noted[0] <= most, `jobs of the main thread: ${noted[0]} deep`);
    });
  });

  test(`jobs that wait for jobs of others, which come after them, ${threads} threads`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      // Each waits for the next, which is submitted later; the last is there from the beginning.
      for (let round = 0; round < bound(2, 5); round++) {
        let job: Job<number> = jobs.spawn(work.leaf, shared(Int32Array, 1), 10);
        for (let k = 0; k < 100; k++) job = jobs.spawn(work.waitForGiven, job);
        const outer = Array.from({ length: 50 }, () => jobs.run(work.waitForGiven, job));
        job.schedule();
        assert.deepEqual(new Set(await Promise.all(outer)), new Set([45]));
      }
    });
  });

  test(`fork–join by halves, many at once, ${threads} threads`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      const all = Array.from({ length: bound(20, 60) }, () => jobs.run(work.waitForHalves, 0, 500));
      assert.deepEqual(new Set(await Promise.all(all)), new Set([124_750]));
    });
  });
}

test("jobs that wait for asynchronous jobs, more than threads", HANGS, async () => {
  await withThreads(3, async (jobs) => {
    const waits = Array.from({ length: 100 }, (_, k) => jobs.run(work.waitForSoon, k));
    const outcomes = await Promise.allSettled(waits);
    // Where all three wait so, nobody can go on with an asynchronous job: then a wait says so.
    for (const [k, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") assert.equal(outcome.value, k);
      else assert.match(String(outcome.reason), /use await in place of wait/);
    }
  });
});

test("a wait for a job that blocks until a foreign job runs takes that", HANGS, async () => {
  await withThreads(2, async (jobs) => {
    const channel = new Channel({ capacity: 1 });
    const begun = shared(Int32Array, 1);
    const waiting = jobs.run(work.waitForReceiver, channel, begun);
    await until(() => Atomics.load(begun, 0) === 1);
    const sent = jobs.run(work.sendOne, channel, 7);
    assert.equal(await waiting, 7);
    await sent;
  });
});

test("the main thread waits: its jobs' loops are not behind what its program has submitted", HANGS, async () => {
  await withThreads(2, async (jobs) => {
    for (const loop of [work.loopByGroup, work.loopByEach]) {
      const noted = shared(Int32Array, 1);
      const all = jobs.group();
      for (let k = 0; k < LOOPS; k++) all.run(loop, noted, WIDE);
      all.wait();
      assert.equal(noted[0], 1);
    }
  });
});

/** Cells of which jobs wait for the second, and say by the first that they do. */
const newCells = () => shared(Int32Array, 3);
const isSet = (cells: Int32Array, at = 0) => until(() => Atomics.load(cells, at) === 1);
/** How many jobs have found themselves on top of one that waits. */
const count = async (jobs: readonly Job<number>[]) => (await Promise.all(jobs)).reduce((sum, n) => sum + n, 0);

test(
  "what a program submits does not go on top of waits, also after its thread has run jobs of its own",
  HANGS,
  async () => {
    await withThreads(2, async (jobs) => {
      await jobs.run(work.later, 1);
      for (const callFirst of [false, true]) {
        const cells = newCells();
        const wait = jobs.run(work.waitForLater, 100, cells, callFirst);
        await isSet(cells);
        assert.equal(await count(Array.from({ length: 40 }, () => jobs.run(work.isOnTop, 2))), 0);
        await wait;
      }
    });
  },
);

test("what follows an asynchronous job is as foreign to a wait as that is", HANGS, async () => {
  await withThreads(2, async (jobs) => {
    await jobs.run(work.later, 1);
    const cells = newCells();
    const wait = jobs.run(work.waitForLater, 150, cells, false);
    await isSet(cells);
    const gate = jobs.spawn(work.later, 20);
    const after = Array.from({ length: 40 }, () => jobs.spawn(work.isOnTop, 2).after(gate));
    for (const job of after) job.schedule();
    assert.equal(await count(after), 0);
    await wait;
  });
});

for (const options of [{ timeout: 60_000 }, { priority: "high" }, { priority: "low" }] as const) {
  test(`a job that waits for its children finds these: ${JSON.stringify(options)}`, HANGS, async () => {
    await withThreads(2, async (jobs) => {
      // Those with limits are for workers only.
      for (const on of "timeout" in options ? (["any"] as const) : (["any", "main"] as const)) {
        const [cells, other] = [newCells(), newCells()];
        const held = jobs.run(work.holdUntilSet, other);
        await isSet(other);
        // The job waits while its own main thread, or the other worker, is all there is besides.
        const second = on === "main" ? newCells() : undefined;
        const alsoHeld = second === undefined ? undefined : jobs.run(work.holdUntilSet, second);
        if (second !== undefined) await isSet(second);
        if (on === "main") Atomics.store(cells, 1, 1);
        const job = jobs.spawn(work.waitForChildren, cells, options);
        if (on === "main") job.with({ on });
        const roots = Array.from({ length: 5 }, () => jobs.spawn(work.isOnTop, 0).with(options));
        if (on === "main") for (const root of roots) root.schedule();
        job.schedule();
        if (on === "any") {
          await isSet(cells);
          for (const root of roots) root.schedule();
          Atomics.store(cells, 1, 1);
        }
        assert.equal(on === "any" ? job.wait() : await job, 3);
        Atomics.store(other, 1, 1);
        if (second !== undefined) Atomics.store(second, 1, 1);
        assert.equal(await count(roots), 0, on);
        await Promise.all([held, alsoHeld]);
      }
    });
  });
}

test("a job that finds no room executes foreign jobs, also while others seem to be at work", HANGS, async () => {
  await withSystem(
    { threads: 1, maxJobs: 64 },
    async (jobs) => {
      const cells = newCells();
      const job = jobs.spawn(work.fillAndSpawn, cells).with({ on: "main" }).schedule();
      const done = job.then((value) => value);
      await isSet(cells);
      const all = jobs.group();
      assert.throws(() => {
        for (;;) all.run(work.give, 1);
      }, ArenaFullError);
      Atomics.store(cells, 1, 1);
      assert.equal(await done, 1);
      await all;
    },
    NESTING_WORK,
  );
});

test("a wait that always finds something takes a foreign job in the end", { ...HANGS, ...ONLY_LONG }, async () => {
  await withThreads(2, async (jobs) => {
    const all = new WaitGroup();
    all.add(1);
    const wait = jobs.run(work.waitForGroup, all);
    const cells = newCells();
    const stream = jobs.run(work.forkUntilSet, cells);
    await isSet(cells);
    // It is what both of them depend on.
    await jobs.spawn(work.setAndDone, cells, all).with({ priority: "high" });
    await Promise.all([wait, stream]);
  });
});

test(
  "jobs that wait for jobs of the main thread that wait for theirs, many at once, on one thread",
  HANGS,
  async () => {
    await withThreads(1, async (jobs) => {
      const numbers = Array.from({ length: bound(500, 1500) }, (_, k) => k);
      const all = numbers.map((k) => jobs.run(work.viaMain, k));
      assert.deepEqual(await Promise.all(all), numbers);
    });
  },
);

test("a shutdown by force ends waits for jobs that are left to others at once", HANGS, async () => {
  await withThreads(2, async (jobs) => {
    const [other, cells] = [newCells(), newCells()];
    const busy = jobs.run(work.holdUntilSet, other).then(undefined, () => {});
    await isSet(other);
    let last: Job<number> = jobs.spawn(work.give, 0);
    for (let k = 0; k < 30; k++) last = jobs.spawn(work.give, k).after(last);
    const job = jobs.run(work.noteWait, last, cells);
    await isSet(cells);
    const outcomes = Promise.allSettled([last.schedule(), job]);
    const stopped = jobs.shutdown({ force: true, grace: 10_000 });
    Atomics.store(cells, 1, 1);
    await isSet(cells, 2);
    Atomics.store(other, 1, 1);
    await stopped;
    const [ends, waits] = await outcomes;
    assert.equal(ends.status, "rejected");
    assert.equal(waits.status, "fulfilled");
    await busy;
  });
});
