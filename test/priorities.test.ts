import assert from "node:assert/strict";
import test from "node:test";
import { type JobSystem, shared } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/placed-work.js";
import { PLACED_WORK, withSystem } from "./support/systems.js";
import { type Placement, withPlacement } from "./support/with.js";

const HIGH: Placement = { priority: "high" };
const LOW: Placement = { priority: "low" };
const NORMAL: Placement = {};

const orderOf = (log: Int32Array) => Array.from(log.subarray(1, 1 + log[0]));

function withWorkers(threads: number, body: (jobs: JobSystem) => Promise<void>): Promise<void> {
  return withSystem({ threads }, body, PLACED_WORK);
}

/** Keeps `count` workers busy. @returns what sets them free */
async function holdWorkers(jobs: JobSystem, count: number): Promise<() => void> {
  const cells = shared(Int32Array, 2);
  for (let k = 0; k < count; k++) jobs.run(work.holdUntil, cells);
  await until(() => Atomics.load(cells, 0) === count);
  return () => Atomics.store(cells, 1, 1);
}

test("threads: 1 runs high before normal before low priority, each first-in first-out", HANGS, async () => {
  await withWorkers(1, async (jobs) => {
    for (let k = 0; k < 3; k++) {
      const order = shared(Int32Array, 10);
      const all = [LOW, NORMAL, HIGH, LOW, NORMAL, HIGH].map((placement, id) =>
        withPlacement(jobs.spawn(work.log, order, id), placement),
      );
      for (const job of all) job.schedule();
      await Promise.all(all);
      assert.deepEqual(orderOf(order), [2, 5, 1, 4, 0, 3]);
    }
  });
});

test(
  "threads: 1: of 32 jobs, one is of normal and one of low priority while others wait, in every run",
  HANGS,
  async () => {
    for (let run = 0; run < 3; run++) {
      await withWorkers(1, async (jobs) => {
        const order = shared(Int32Array, 200);
        const all = Array.from({ length: 60 }, () => [
          withPlacement(jobs.spawn(work.log, order, 0), LOW),
          withPlacement(jobs.spawn(work.log, order, 1), NORMAL),
          withPlacement(jobs.spawn(work.log, order, 2), HIGH),
        ]).flat();
        for (const job of all) job.schedule();
        await Promise.all(all);
        const high = new Array(15).fill(2);
        const first = [...high, 1, ...high, 0, ...high, 1, ...high, 0];
        assert.deepEqual(orderOf(order).slice(0, 64), first);
        assert.deepEqual(orderOf(order).slice(64, 79), new Array(15).fill(1));
      });
    }
  },
);

test("none starves beside a stream of others that does not end before it has run", HANGS, async () => {
  for (const threads of bound([2], [1, 2, 3])) {
    for (const [stream, starving] of [
      [HIGH, LOW],
      [HIGH, NORMAL],
      [NORMAL, LOW],
    ]) {
      await withWorkers(threads, async (jobs) => {
        const cells = shared(Int32Array, 2);
        for (let k = 0; k <= threads; k++) withPlacement(jobs.spawn(work.untilSet, cells, stream), stream).schedule();
        // The streams flow.
        await until(() => Atomics.load(cells, 1) >= 100);
        await withPlacement(jobs.spawn(work.set, cells, 0), starving);
      });
    }
  }
});

test("nor beside chains of high priority, of which each job hands over to the next", HANGS, async () => {
  await withWorkers(2, async (jobs) => {
    const order = shared(Int32Array, 5000);
    const release = await holdWorkers(jobs, 2);
    const chains = [1, 2].map((id) => {
      const links = Array.from({ length: 2000 }, () => withPlacement(jobs.spawn(work.log, order, id), HIGH));
      return links.reduce((before, next) => before.then(next));
    });
    for (const last of chains) last.schedule();
    const low = withPlacement(jobs.spawn(work.log, order, 0), LOW).schedule();
    release();
    await Promise.all([low, ...chains]);
    const place = orderOf(order).indexOf(0);
    assert.ok(place >= 0 && place < 3999, `the low one ran as number ${place}`);
  });
});

test("a job that becomes ready goes before those that wait only if it is of high priority", HANGS, async () => {
  await withWorkers(2, async (jobs) => {
    for (const placement of [HIGH, LOW]) {
      const order = shared(Int32Array, 10);
      const release = await holdWorkers(jobs, 1);
      // Runs on the other worker, as all that follows.
      const gate = shared(Int32Array, 2);
      const first = jobs.spawn(work.holdUntil, gate).then(jobs.spawn(work.log, order, 0));
      const next = withPlacement(jobs.spawn(work.log, order, 1), placement).after(first);
      next.schedule();
      await until(() => Atomics.load(gate, 0) === 1);
      const waiting = [2, 3].map((id) => jobs.run(work.log, order, id));
      Atomics.store(gate, 1, 1);
      await Promise.all([next, ...waiting]);
      const got = orderOf(order);
      assert.equal(got.length, 4);
      assert.equal(got.indexOf(1), placement === HIGH ? got.indexOf(0) + 1 : 3, `${got}`);
      release();
    }
  });
});

test("workers that sleep wake for a job of any priority", HANGS, async () => {
  for (const threads of bound([2], [1, 2, 4])) {
    await withWorkers(threads, async (jobs) => {
      for (let k = 0; k < bound(90, 300); k++) {
        const placement = [LOW, HIGH, NORMAL][k % 3];
        assert.equal(await withPlacement(jobs.spawn(work.add, k, 1), placement), k + 1);
        assert.equal(await jobs.run(work.waitForPlaced, k, 2, placement), k + 2);
        if (k % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
  }
});

test("jobs of different priorities wait for each other, as deep as they like", HANGS, async () => {
  for (const threads of bound([2], [1, 2, 3])) {
    await withWorkers(threads, async (jobs) => {
      assert.equal(await jobs.run(work.fib, 15, 3), 610);
      assert.equal(jobs.run(work.fib, 15, 3).wait(), 610);
      const late = withPlacement(jobs.spawn(work.add, 1, 2), LOW);
      assert.equal(await jobs.run(work.waitForIt, late), 3);
    });
  }
});
