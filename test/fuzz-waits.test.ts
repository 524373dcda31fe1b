import assert from "node:assert/strict";
import test from "node:test";
import { DependencyCycleError, JobFailedError, shared } from "heddle";
import { stillWorks, withOddSystem } from "./support/fuzz.js";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/odd-work.js";
import { DENO } from "./support/runtime.js";

/** A job has failed because a wait inside it, or inside one that it waits for, could never end. */
const inCircle = (error: unknown) =>
  error instanceof JobFailedError && /jobs depend on each other in a circle: .*waitForKept/.test(error.message);

test("a job that waits for itself fails, instead of waiting for ever", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    await assert.rejects(async () => await jobs.run(work.keepAndWait), inCircle);
    // The handle comes from the main thread.
    const own = jobs.spawn(work.waitForKept);
    await jobs.run(work.keep, own);
    await assert.rejects(async () => await own, inCircle);
    await stillWorks(jobs);
  });
});

test("a job that waits for one that runs after it fails, instead of waiting for ever", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    const first = jobs.spawn(work.waitForKept);
    const middle = jobs.spawn(work.add, 1, 2).after(first);
    const last = jobs.spawn(work.add, 3, 4).after(middle, jobs.spawn(work.nothing));
    await jobs.run(work.keep, last);
    await assert.rejects(async () => await last, inCircle);
    await assert.rejects(async () => await first, inCircle);
    await assert.rejects(async () => await jobs.run(work.waitBelow, 3), inCircle);
    await stillWorks(jobs);
  });
});

test("an asynchronous job that waits for itself fails, whenever it does so", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    for (const [fn, expected] of [
      [work.waitForKeptAtOnce, /jobs depend on each other in a circle: .*waitForKept/],
      [work.waitForKeptLater, /can never end: it depends on an asynchronous job/],
    ] as const) {
      const own = jobs.spawn(fn);
      await jobs.run(work.keep, own);
      await assert.rejects(async () => await own, expected);
    }
    await stillWorks(jobs);
  });
});

test("the main thread, in a job that it executes, too", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    // Workers have no kept handle, so that there the job ends at once; the main thread's copy of the module has one.
    for (let k = 0; k < 20; k++) {
      const own = jobs.spawn(work.waitForKept);
      work.keep(own);
      const busy = [jobs.run(work.sleep, 2), jobs.run(work.sleep, 2)];
      try {
        own.wait();
      } catch (error) {
        assert.ok(inCircle(error) || error instanceof DependencyCycleError, String(error));
      }
      await Promise.all(busy);
    }
    await stillWorks(jobs);
  });
});

/** Nearly as deep as jobs may wait; Deno gives each thread the same small stack. */
const DEEP = DENO ? 500 : 1400;

test(
  "the main thread does not run out of stack while it waits, however deep the jobs wait that it executes",
  HANGS,
  async () => {
    await withOddSystem({ threads: 2 }, async (jobs) => {
      for (let k = 0; k < 5; k++) {
        // Both workers are busy, so that the main thread begins.
        const started = shared(Int32Array, 1);
        const busy = [jobs.run(work.startAndSleep, started, 200), jobs.run(work.startAndSleep, started, 200)];
        while (started[0] < 2) await new Promise((resolve) => setImmediate(resolve));
        assert.equal(jobs.run(work.down, DEEP).wait(), DEEP);
        await Promise.all(busy);
      }
      await stillWorks(jobs);
      assert.deepEqual(await jobs.shutdown(), { neverScheduled: {} });
    });
  },
);

test("jobs that wait inside jobs for others are not taken for that", async () => {
  for (const threads of bound([2], [1, 2, 4])) {
    await withOddSystem({ threads }, async (jobs) => {
      for (let k = 0; k < 50; k++) {
        const outer = Array.from({ length: 6 }, () => jobs.run(work.waitForOwn));
        assert.deepEqual(await Promise.all(outer), new Array(6).fill(10));
      }
      assert.equal(await jobs.run(work.spread, 8), 256);
    });
  }
});
