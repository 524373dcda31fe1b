import assert from "node:assert/strict";
import test from "node:test";
import { Channel, shared, WaitGroup } from "heddle";
import * as work from "./support/channel-work.js";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";

const WORK = new URL("./support/channel-work.js", import.meta.url);

test("a wait group counts, and who waits goes on at zero", HANGS, async () => {
  const group = new WaitGroup();
  await group.wait();
  group.waitSync();
  group.add();
  group.add(2);
  assert.equal(group.count, 3);
  let over = 0;
  const waits = [group.wait(), group.wait()].map((wait) => wait.then(() => over++));
  group.done();
  group.done();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(over, 0);
  group.done();
  await Promise.all(waits);
  assert.equal(over, 2);
});

test(
  "who waits is released though the count is raised again at once; who comes later waits for the next zero",
  HANGS,
  async () => {
    const group = new WaitGroup();
    group.add();
    const first = group.wait();
    group.done();
    group.add();
    let second = false;
    const later = group.wait().then(() => {
      second = true;
    });
    await first;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(second, false);
    group.done();
    await later;
    assert.equal(second, true);
  },
);

test("wrong input is named and changes nothing", HANGS, () => {
  const group = new WaitGroup();
  assert.throws(() => group.done(), /RangeError: done\(\) was called more often than add\(\)/);
  assert.equal(group.count, 0);
  for (const n of [0, -1, 1.5, Number.NaN, 2 ** 22]) assert.throws(() => group.add(n), /n must be/);
  assert.throws(() => group.add("1" as never), /n must be a number/);
  group.add(2 ** 22 - 1);
  assert.throws(() => group.add(2), /n is 2, and the wait group's count would exceed 4194303/);
  assert.equal(group.count, 2 ** 22 - 1);
  assert.throws(() => new WaitGroup({} as never), /buffer must be/);
  assert.throws(() => new WaitGroup(new SharedArrayBuffer(7)), /buffer of a WaitGroup/);
  assert.throws(() => new WaitGroup(new Channel({ capacity: 1 }).buffer), /buffer of a WaitGroup/);
});

test("jobs on several threads count down, round after round, and all who wait see all", HANGS, async () => {
  await withSystem(
    { threads: 3 },
    async (jobs) => {
      const group = new WaitGroup();
      for (let round = 0; round < bound(60, 200); round++) {
        const cells = shared(Int32Array, 1);
        group.add(20);
        const waiting = jobs.run(work.waitFor, group, cells);
        for (let k = 0; k < 20; k++) jobs.run(work.addOne, cells, group);
        if (round % 2 === 0) await group.wait();
        else group.waitSync();
        assert.equal(cells[0], 20);
        assert.equal(await waiting, 20);
        assert.equal(group.count, 0);
      }
    },
    WORK,
  );
});

test("a job that waits executes what it waits for, also on the only worker", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    await withSystem(
      { threads },
      async (jobs) => {
        for (let round = 0; round < 20; round++) {
          const group = new WaitGroup();
          assert.equal(await jobs.run(work.countInside, shared(Int32Array, 1), group, 100), 100);
          assert.equal(group.count, 0);
        }
      },
      WORK,
    );
  }
});

test("a job that waits executes what is submitted later, and is woken by another thread", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const cells = shared(Int32Array, 1);
      const group = new WaitGroup();
      group.add(2);
      const waiting = jobs.run(work.waitFor, group, cells);
      await new Promise((resolve) => setImmediate(resolve));
      await jobs.run(work.addOne, cells, group);
      assert.equal(waiting.settled, false);
      group.done();
      assert.equal(await waiting, 1);
      const back = await jobs.run(work.sameObject, group, group);
      assert.equal(back, true);
    },
    WORK,
  );
});
