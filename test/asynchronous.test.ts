import assert from "node:assert/strict";
import test from "node:test";
import { DependencyFailedError, type Job, JobFailedError, ShutdownError, shared, WouldBlockError } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

test("an asynchronous job is done when its promise settles", HANGS, async () => {
  for (const threads of bound([3], [1, 3])) {
    await withSystem({ threads }, async (jobs) => {
      assert.equal(await jobs.run(work.later, 7, 5), 7);
      const after = jobs.spawn(work.echo, "after").after(jobs.spawn(work.later, 1, 5));
      assert.equal(await after, "after");
      await assert.rejects(async () => await jobs.run(work.rejectLater, "too bad"), /too bad/);
      const dependant = jobs.spawn(work.nothing).after(jobs.spawn(work.rejectLater, "first"));
      await assert.rejects(async () => await dependant, DependencyFailedError);
    });
  }
});

test("a function that is not marked async may give a promise, a thenable or a job", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    await withSystem({ threads }, async (jobs) => {
      for (let k = 0; k < 3; k++) {
        assert.equal(await jobs.run(work.aPromise), 1);
        assert.equal(await jobs.run(work.aThenable, 5), 5);
        assert.equal(await jobs.run(work.aJob, 6), 6);
      }
      await assert.rejects(async () => await jobs.run(work.aBadThenable), JobFailedError);
    });
  }
});

test("whatever a promise's own `then` does, its job finishes once", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    for (let k = 0; k < 3; k++) {
      assert.equal(await jobs.run(work.aPromiseWithThen, k), k);
      assert.equal(await jobs.run(work.aThenableTwice, k), k);
    }
    assert.deepEqual(await jobs.shutdown(), { neverScheduled: {} });
  });
});

test("jobs are awaited in asynchronous jobs, at any depth, on one thread as well", HANGS, async () => {
  for (const threads of bound([2], [1, 2, 4])) {
    await withSystem({ threads }, async (jobs) => {
      assert.equal(await jobs.run(work.fibAsync, 12), 144);
      const results = await Promise.all(Array.from({ length: 200 }, (_, k) => jobs.run(work.fibAsync, k % 8)));
      assert.equal(results[7], 13);
    });
  }
});

test("the worker runs other jobs while an asynchronous one waits", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const flag = shared(Int32Array, 1);
    // Waits for what a job scheduled after it does, on the same thread.
    const waiting = jobs.run(work.untilSet, flag);
    await jobs.run(work.count, flag, 0);
    await waiting;
  });
});

test("asynchronous jobs of a group are counted when they are done; the first failure rejects", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    const group = jobs.group();
    for (let k = 0; k < 300; k++) group.run(work.countLater, cells, 0, k % 3);
    await group;
    assert.equal(cells[0], 300);
    group.run(work.rejectLater, "of a group");
    group.run(work.countLater, cells, 0, 1);
    await assert.rejects(async () => await group, /of a group/);
  });
});

test("no more than `concurrency` are in flight on a worker", HANGS, async () => {
  await withSystem({ threads: 1, concurrency: 3 }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    await Promise.all(Array.from({ length: 40 }, () => jobs.run(work.countInFlight, cells)));
    assert.ok(cells[1] <= 3 && cells[1] >= 1, `${cells[1]} were in flight at once`);
    assert.equal(cells[0], 0);
  });
  await assert.rejects(
    withSystem({ concurrency: 0 }, () => {}),
    /concurrency must be a whole number from 1 to 65536/,
  );
});

test("a synchronous wait in a job that holds up what it waits for ends with an error", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    await assert.rejects(
      async () => await jobs.run(work.waitForLater, 1),
      (error: JobFailedError) => error.cause instanceof Error && error.cause.name === WouldBlockError.name,
    );
    // One that gives a promise unannounced is started, and held up by the wait.
    await assert.rejects(async () => await jobs.run(work.waitForUnannounced), /can never end/);
    assert.equal(await jobs.run(work.add, 1, 2), 3);
    assert.equal(await jobs.run(work.later, 8, 1), 8);
  });
});

test("a synchronous wait for an asynchronous job works where another thread can run it", HANGS, async () => {
  await withSystem({ threads: 3 }, async (jobs) => {
    for (let k = 0; k < 20; k++) assert.equal(await jobs.run(work.waitForLater, k), k);
    assert.equal(jobs.run(work.later, 3, 2).wait(), 3);
  });
});

test("shutdown waits for asynchronous jobs; by force it does not", HANGS, async () => {
  const cells = shared(Int32Array, 1);
  await withSystem({ threads: 2 }, (jobs) => {
    for (let k = 0; k < 50; k++) jobs.run(work.countLater, cells, 0, 5);
  });
  assert.equal(cells[0], 50);
  let pending: Job<void> | undefined;
  await withSystem({ threads: 2 }, async (jobs) => {
    const started = shared(Int32Array, 1);
    pending = jobs.run(work.never, started);
    const outcome = assert.rejects(async () => await pending, ShutdownError);
    await until(() => Atomics.load(started, 0) === 1);
    assert.deepEqual(await jobs.shutdown({ force: true }), { neverScheduled: {} });
    await outcome;
  });
});

test("a job that waits runs what is ready behind asynchronous jobs, on one thread and on more", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    await withSystem({ threads }, async (jobs) => {
      for (let k = 0; k < 20; k++) assert.equal(await jobs.run(work.waitBehindLater, k), k);
      for (let k = 0; k < 5; k++) assert.equal(await jobs.run(work.waitForMain, k), k);
      const all = Array.from({ length: 200 }, (_, k) =>
        k % 3 === 0 ? jobs.run(work.later<number>, k, 1) : jobs.run(work.waitBehindLater, k),
      );
      assert.deepEqual(await Promise.all(all), [...all.keys()]);
    });
  }
});
