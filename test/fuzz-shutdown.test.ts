import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  DependencyFailedError,
  type Group,
  type Job,
  type JobFailedError,
  JobSystem,
  ShutdownError,
  shared,
} from "heddle";
import { check, ODD_WORK, stillWorks, withOddSystem } from "./support/fuzz.js";
import { HANGS, PATIENCE, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/odd-work.js";
import { BUN } from "./support/runtime.js";

function create(threads: number): Promise<JobSystem> {
  return JobSystem.create({ threads, modules: [ODD_WORK] });
}

/** Everything that can be asked of a system that has stopped: each settles, or throws ShutdownError. */
async function checkStopped(jobs: JobSystem, kept: Job<unknown>, group: Group): Promise<void> {
  for (const call of [
    () => jobs.run(work.nothing),
    () => jobs.spawn(work.nothing),
    () => jobs.group(),
    () => group.run(work.nothing),
    () => kept.after(kept),
    () => kept.then(kept),
    () => jobs.chain(kept, kept),
    () => kept.wait(),
  ]) {
    assert.throws(call, ShutdownError);
  }
  assert.equal(kept.settled, true);
  assert.equal(kept.schedule(), kept);
  await assert.rejects(async () => await kept, ShutdownError);
  assert.ok(jobs.threads > 0);
  assert.deepEqual(await jobs.shutdown(), await jobs.shutdown({ force: true }));
}

test("a system that was shut down answers everything, in any way it came to an end", async () => {
  await check(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.constantFrom("graceful", "forced", "run", "wait", "turn"), { minLength: 1, maxLength: 6 }),
      async (threads, steps) => {
        const jobs = await create(threads);
        const kept = jobs.spawn(work.nothing);
        const group = jobs.group();
        const open: PromiseLike<unknown>[] = [];
        for (let k = 0; k < 20; k++) {
          group.run(work.sleep, 0.1);
          open.push(jobs.spawn(work.add, k, 1).after(jobs.spawn(work.sleep, 0.1)).schedule());
        }
        open.push(group.then());
        const outcomes = Promise.allSettled(open);
        for (const step of [...steps, "graceful"]) {
          if (step === "turn") await new Promise((resolve) => setImmediate(resolve));
          else if (step === "run" || step === "wait") {
            try {
              const job = jobs.run(work.add, 1, 2);
              if (step === "wait") job.wait();
              else open.push(job.then(undefined, () => {}));
            } catch (error) {
              assert.ok(error instanceof ShutdownError);
            }
          } else void jobs.shutdown({ force: step === "forced" });
        }
        await jobs.shutdown();
        for (const outcome of await outcomes) {
          if (outcome.status === "fulfilled") continue;
          const { reason } = outcome;
          const first = reason instanceof DependencyFailedError ? reason.cause : reason;
          assert.ok(first instanceof ShutdownError, String(reason));
        }
        await checkStopped(jobs, kept, group);
        await Promise.all(open.map((each) => each.then(undefined, () => {})));
      },
    ),
    10,
  );
});

test("shutdown from within: continuations, error listeners, and while it is under way", async () => {
  const jobs = await create(2);
  const reports: Promise<unknown>[] = [];
  jobs.on("error", () => {
    reports.push(jobs.shutdown({ force: true }), jobs.shutdown());
    assert.throws(() => jobs.run(work.nothing), ShutdownError);
  });
  const kept = jobs.spawn(work.nothing);
  const group = jobs.group();
  const first = jobs.run(work.add, 1, 2).then(() => {
    reports.push(jobs.shutdown());
    return jobs.shutdown();
  });
  jobs.run(work.fail, "for the listener");
  await first;
  const [report, ...others] = await Promise.all(reports);
  for (const other of others) assert.equal(other, report);
  await checkStopped(jobs, kept, group);
});

test("error listeners that throw: no failure is lost, nobody waits in vain, and the process hears of it", {
  ...HANGS,
  skip: BUN && "the runner of Bun's tests takes errors that nobody catches for its own",
}, async () => {
  for (const when of ["running", "shutting down"]) {
    const jobs = await create(2);
    const heard: string[] = [];
    const uncaught: unknown[] = [];
    const hear = (error: unknown) => uncaught.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", hear);
    try {
      jobs.on("error", (error) => {
        heard.push(error.message);
        throw new EvalError(`from the listener: ${error.message}`);
      });
      const kept = jobs.spawn(work.nothing);
      if (when === "running") {
        for (let k = 0; k < 5; k++) jobs.run(work.fail, `number ${k}`);
        while (uncaught.length < 5) await jobs.run(work.sleep, 1);
        await stillWorks(jobs);
      } else {
        for (let k = 0; k < 5; k++) {
          const group = jobs.group();
          group.run(work.fail, `number ${k}`);
        }
      }
      const waiting = kept.then(undefined, (error: unknown) => error);
      await jobs.shutdown();
      await waiting;
      while (uncaught.length < 5) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(
        heard.sort(),
        [0, 1, 2, 3, 4].map((k) => `job "fail" failed: number ${k}`),
      );
      for (const error of uncaught) assert.ok(error instanceof EvalError, String(error));
    } finally {
      process.off("uncaughtException", hear);
      for (const each of others) process.on("uncaughtException", each);
    }
  }
});

test(
  "what the main thread runs while it waits is followed, although the workers have stopped meanwhile",
  HANGS,
  async () => {
    for (let round = 0; round < bound(1, 5); round++) {
      const jobs = await create(2);
      const blockers = [jobs.run(work.sleep, 5), jobs.run(work.sleep, 5)];
      const long = jobs.spawn(work.sleep, 60);
      const next = jobs.spawn(work.add, 1, 2).after(long);
      const last = jobs.spawn(work.add, 3, 4).after(next);
      last.schedule();
      const stopped = jobs.shutdown();
      long.wait();
      assert.deepEqual((await stopped).neverScheduled, {});
      assert.equal(await last, 7);
      await Promise.all(blockers);
    }
  },
);

test("an asynchronous job that follows what the main thread runs while it waits, in a shutdown", HANGS, async () => {
  for (let round = 0; round < bound(1, 5); round++) {
    const jobs = await create(2);
    const blockers = [jobs.run(work.sleep, 5), jobs.run(work.sleep, 5)];
    const long = jobs.spawn(work.sleep, 60);
    const next = jobs.spawn(work.addLater, 1, 2).after(long);
    next.schedule();
    const stopped = jobs.shutdown();
    long.wait();
    assert.equal(next.wait(), 3);
    assert.deepEqual((await stopped).neverScheduled, {});
    await Promise.all([next, ...blockers]);
  }
});

test("no worker ends while the main thread waits: another may have asynchronous jobs for it", HANGS, async () => {
  for (const fn of [work.addLater, work.waitForAddLater] as ((a: number, b: number) => number | Promise<number>)[]) {
    for (let round = 0; round < bound(1, 5); round++) {
      const jobs = await create(2);
      const started = shared(Int32Array, 1);
      const first = jobs.run(work.startAndSleep, started, 5);
      const last = jobs.spawn(fn, 1, 2).after(first).schedule();
      await until(() => Atomics.load(started, 0) === 1);
      const stopped = jobs.shutdown();
      assert.equal(last.wait(), 3);
      assert.deepEqual(await stopped, { neverScheduled: {} });
      assert.equal(await last, 3);
    }
  }
});

test("by force: a synchronous wait for a suspended job ends, on the main thread and in a job", HANGS, async () => {
  for (const what of ["job", "next", "group"] as const) {
    const jobs = await create(2);
    const started = shared(Int32Array, 1);
    const suspended = jobs.run(work.startAndHang, started);
    const next = jobs.spawn(work.nothing).after(suspended).schedule();
    const group = jobs.group();
    group.run(work.startAndHang, started);
    await until(() => Atomics.load(started, 0) === 2);
    const stopped = jobs.shutdown({ force: true });
    const target = { job: suspended, next, group }[what];
    assert.throws(() => target.wait(), ShutdownError);
    assert.deepEqual(await stopped, { neverScheduled: {} });
    for (const job of [suspended, next]) await assert.rejects(async () => await job, ShutdownError);
  }
  const jobs = await create(2);
  const started = shared(Int32Array, 1);
  const waiting = jobs.run(work.waitForHanging, started);
  const outcome = assert.rejects(
    async () => await waiting,
    (error: JobFailedError) => (error.cause as Error).name === "ShutdownError",
  );
  await until(() => Atomics.load(started, 0) === 1);
  // It ends by itself, not with its thread.
  assert.deepEqual(await jobs.shutdown({ force: true, grace: PATIENCE }), { neverScheduled: {} });
  await outcome;
});

test("jobs that use a system that is being shut down", async () => {
  for (const force of [false, true]) {
    const jobs = await create(3);
    const many = Array.from({ length: 50 }, (_, k) => jobs.run(work.spread, k % 6));
    const outcomes = Promise.allSettled(many);
    const report = await jobs.shutdown({ force });
    for (const [k, outcome] of (await outcomes).entries()) {
      if (!force) assert.deepEqual(outcome, { status: "fulfilled", value: 2 ** (k % 6) });
      else if (outcome.status === "rejected") assert.match(String(outcome.reason), /ShutdownError|JobFailedError/);
    }
    assert.deepEqual(report.neverScheduled, {});
  }
});

test("handles and groups of a system that is gone do not touch another one", async () => {
  const gone = await create(1);
  const pending = gone.spawn(work.add, 1, 2);
  const done = gone.run(work.add, 1, 2);
  assert.equal(await done, 3);
  await gone.shutdown();
  await withOddSystem({ threads: 1 }, async (jobs) => {
    const own = jobs.spawn(work.nothing);
    for (const handle of [pending, done]) {
      assert.throws(() => own.after(handle), /belongs to another JobSystem/);
      assert.throws(() => jobs.run(work.ignore, handle), /belongs to another JobSystem/);
      assert.throws(() => handle.after(own), /belongs to another JobSystem|has been shut down/);
    }
    assert.equal(await done, 3);
    assert.equal(done.wait(), 3);
    await stillWorks(jobs);
  });
});
