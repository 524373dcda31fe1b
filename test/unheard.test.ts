/** What comes about at an awkward moment is heard of by whoever should: each of these was once left lying. */
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as rest, setImmediate as turn } from "node:timers/promises";
import { type Job, type JobSystem, ShutdownError, shared, WaitGroup } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/unheard-work.js";

const UNHEARD = new URL("./support/unheard-work.js", import.meta.url);
const withJobs: typeof withSystem = (options, body) => withSystem(options, body, UNHEARD);
/** Long enough for a thread with nothing to do to fall asleep; if it is not, a test finds nothing wrong. */
const ASLEEP = 50;

test("a group to which jobs are added while it is awaited is heard of when the last has finished", HANGS, async () => {
  await withJobs({ threads: 1 }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    jobs.run(work.holdFor, cells, 0);
    await until(() => Atomics.load(cells, 0) === 1);
    const group = jobs.group();
    group.run(work.nothing);
    const done = group.then(() => true);
    // By then this thread listens.
    await rest(ASLEEP);
    group.run(work.nothing);
    await turn();
    // The worker counts both together.
    Atomics.store(cells, 1, 1);
    assert.equal(await done, true);
  });
});

test("a group to which a job adds others while it is waited for is heard of too", HANGS, async () => {
  await withJobs({ threads: 2 }, async (jobs) => {
    const [first, second] = [shared(Int32Array, 2), shared(Int32Array, 2)];
    jobs.run(work.holdFor, first, 0);
    await until(() => Atomics.load(first, 0) === 1);
    const waiting = jobs.run(work.waitForGrowing, first, second);
    await until(() => Atomics.load(second, 0) === 1);
    await rest(ASLEEP);
    Atomics.store(second, 1, 1);
    await waiting;
  });
});

test("code that awaits a job which its sleeping thread has set aside gets it started", HANGS, async () => {
  await withJobs({ threads: 1, concurrency: 1 }, async (jobs) => {
    const [flag, cells] = [shared(Int32Array, 1), shared(Int32Array, 1)];
    const other = jobs.spawn(work.later<number>, 1, 1);
    const waiting = jobs.run(work.awaitWhenSet, flag, other as Job<number>);
    other.schedule();
    jobs.run(work.count, cells, 0);
    // With one worker jobs start in order: the other one could not.
    await until(() => Atomics.load(cells, 0) === 1);
    await rest(ASLEEP);
    Atomics.store(flag, 0, 1);
    assert.equal(await waiting, 2);
  });
});

test("a job that a thread submits which was asleep wakes another", HANGS, async () => {
  await withJobs({ threads: 2 }, async (jobs) => {
    for (let round = 0; round < bound(6, 20); round++) {
      await jobs.run(work.waitAfterAwait, shared(Int32Array, [0, 1]));
      await jobs.run(work.blockAfterAwait, shared(Int32Array, 2));
    }
  });
});

test("callbacks that a job leaves for a later turn of the event loop are called", HANGS, async () => {
  await withJobs({ threads: 1 }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    await jobs.run(work.countInLaterTurns, cells);
    await until(() => Atomics.load(cells, 0) === 2);
  });
});

test("a signal with a timer cancels a worker's job although that worker has nothing to do", HANGS, async () => {
  await withJobs({ threads: 2 }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    await jobs.run(work.cancelInTime, cells);
    await until(() => Atomics.load(cells, 1) === 1);
  });
});

/** A job whose worker dies as soon as others wait, or are busy; it is run again. */
async function aboutToDie(jobs: JobSystem) {
  const cells = shared(Int32Array, 2);
  const waiters = new WaitGroup();
  waiters.add();
  const dying = jobs.spawn(work.dieOnce, cells, waiters).with({ retries: 1 }).schedule();
  await until(() => Atomics.load(cells, 0) === 1);
  return { cells, waiters, dying };
}

test("a worker's death is noticed while the main thread waits for a wait group", HANGS, async () => {
  await withJobs({ threads: 1 }, async (jobs) => {
    const { cells, waiters, dying } = await aboutToDie(jobs);
    await jobs.spawn(work.waitForOthers, cells, waiters).with({ on: "main" });
    await dying;
  });
});

test("a worker's death is noticed while the main thread waits and is never long without a job", HANGS, async () => {
  await withJobs({ threads: 2 }, async (jobs) => {
    const { cells, dying } = await aboutToDie(jobs);
    jobs.run(work.keepBusy, cells);
    dying.wait();
  });
});

test("a synchronous wait for a job that a shutdown by force has cut off ends with an error", HANGS, async () => {
  await withJobs({ threads: 1 }, async (jobs) => {
    const started = shared(Int32Array, 1);
    const job = jobs.run(work.never, started);
    await until(() => Atomics.load(started, 0) === 1);
    const end = jobs.shutdown({ force: true });
    assert.throws(() => job.wait(), ShutdownError);
    await end;
  });
});

test("a worker goes round its event loop although it always finds a job soon", HANGS, async () => {
  const steps = 50;
  await withJobs({ threads: 1, concurrency: steps }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    await jobs.run(work.stepByStep, cells, steps);
    jobs.run(work.step, cells, 0);
    await until(() => Atomics.load(cells, 0) === steps && Atomics.load(cells, 1) !== 0);
    assert.ok(Atomics.load(cells, 1) <= steps / 2);
  });
});
