/** What went wrong, or could have, where threads meet at an awkward moment; each of these once failed. */
import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { DependencyFailedError, type Job, JobFailedError, JobSystem, shared } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";
import { WORK, withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

test("a graph that is scheduled while what it waits for finishes loses no job", HANGS, async () => {
  await withSystem({ threads: 3 }, async (jobs) => {
    for (let round = 0; round < 40; round++) {
      const cells = shared(Int32Array, 2);
      // Finishes some time during `schedule`.
      const running = jobs.run(work.holdFor, cells, (round % 20) * 250);
      while (Atomics.load(cells, 0) === 0);
      const middle = Array.from({ length: 8000 }, () => jobs.spawn(work.nothing).after(running));
      const [early, last] = [jobs.spawn(work.nothing), jobs.spawn(work.nothing)];
      early.after(...middle);
      last.after(...middle, early);
      Atomics.store(cells, 1, 1);
      await last.schedule();
    }
  });
});

test("a wait ends as soon as its job has failed, although there is other work", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    // One worker and a job in which it waits: so it would run all the others first.
    assert.ok((await jobs.run(work.waitForFailure, 200)) < 200);
  });
  await withSystem({ threads: 1 }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    const failing = jobs.run(work.failWhenSet, cells);
    await until(() => Atomics.load(cells, 0) === 1);
    for (let k = 0; k < 50; k++) jobs.run(work.sleep, 1);
    Atomics.store(cells, 1, 1);
    assert.throws(() => failing.wait(), JobFailedError);
  });
});

test("a result that several threads copy at the same time stays whole", HANGS, async () => {
  const value = { text: "x".repeat(2000), list: [1, 2, 3], view: shared(Int32Array, [4, 5]) };
  await withSystem({ threads: 4 }, async (jobs) => {
    for (let round = 0; round < bound(60, 200); round++) {
      const cells = shared(Int32Array, 3);
      const source = jobs.run(work.echoWhenSet, cells, value);
      const copies = [0, 1, 2].map(() => jobs.run(work.copyWhenSet, cells, source as Job<unknown>));
      Atomics.store(cells, 2, 1);
      // Without taking the result over on this thread.
      const end = performance.now() + 1;
      while (performance.now() < end);
      Atomics.store(cells, 0, 1);
      const late = performance.now() + 20_000;
      while (Atomics.load(cells, 1) < copies.length && performance.now() < late);
      for (const copy of copies) assert.deepEqual(await copy, value);
      assert.deepEqual(await source, value);
    }
  });
});

test("jobs that a callback on a worker submits are not left lying", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    for (let round = 0; round < 20; round++) {
      const cells = shared(Int32Array, 1);
      await jobs.run(work.submitLater, cells, 45);
      await until(() => Atomics.load(cells, 0) === 45);
    }
  });
});

test("what ends while a worker is about to sleep is heard of before it does", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const seen: string[] = [];
    jobs.on("error", (error) => seen.push(error.message));
    await jobs.run(work.failMeanwhile, shared(Int32Array, 3));
    await until(() => seen.length === 1);
    assert.deepEqual(seen, ['job "failWhenSet" failed: meant to fail']);
    for (const meanwhile of [work.countMeanwhile, work.countGroupMeanwhile]) {
      const cells = shared(Int32Array, 3);
      await jobs.run(meanwhile, cells);
      await until(() => Atomics.load(cells, 2) === 1);
    }
  });
});

test("what follows a job that is cancelled during a shutdown settles before the workers end", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 1, modules: [WORK] });
  const cells = shared(Int32Array, 2);
  const controller = new AbortController();
  jobs.run(work.holdFor, cells, 0);
  await until(() => Atomics.load(cells, 0) === 1);
  const cancelled = jobs.spawn(work.nothing).with({ signal: controller.signal }).schedule();
  const next = jobs.spawn(work.nothing).after(cancelled).schedule();
  const outcome = next.then(null, (error: unknown) => error);
  const end = jobs.shutdown();
  controller.abort();
  Atomics.store(cells, 1, 1);
  // The worker is through before this thread is.
  work.sleep(50);
  await end;
  assert.ok((await outcome) instanceof DependencyFailedError);
});

test("a shutdown by force reports no cancelled job as a failure that nobody has seen", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 1, modules: [WORK] });
  const errors: Error[] = [];
  jobs.on("error", (error) => errors.push(error));
  jobs.run(work.sleep, 20);
  for (let k = 0; k < 50; k++) jobs.spawn(work.nothing).after(jobs.run(work.nothing)).schedule();
  await jobs.shutdown({ force: true });
  // A failure is reported in the turn after the one in which it is heard of.
  await turn();
  await turn();
  assert.deepEqual(errors, []);
});

test("nor does one that terminates the worker while it cancels them", { ...HANGS, ...ONLY_LONG }, async () => {
  for (let round = 0; round < bound(5, 50); round++) {
    const jobs = await JobSystem.create({ threads: 1, modules: [WORK] });
    const errors: Error[] = [];
    jobs.on("error", (error) => errors.push(error));
    const first = jobs.run(work.sleep, 20);
    void first.then(null, () => {});
    for (let k = 0; k < 2000; k++) jobs.spawn(work.nothing).after(jobs.run(work.nothing)).schedule();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await jobs.shutdown({ force: true, grace: round % 5 });
    await turn();
    await turn();
    assert.deepEqual(errors, []);
  }
});
