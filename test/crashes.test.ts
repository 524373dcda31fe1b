/** Workers that die: the job that one ran fails, everything else goes on, and nobody waits for ever. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setEnvironmentData } from "node:worker_threads";
import {
  DependencyFailedError,
  JobFailedError,
  JobSystem,
  type JobSystemOptions,
  JobTimeoutError,
  ShutdownError,
  WorkerCrashedError,
} from "heddle";
import { watchWorkers } from "../bench/soak/crashes.js";
import * as work from "./support/crash-work.js";
import * as doomed from "./support/doomed-work.js";
import * as early from "./support/early-work.js";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { BUN, DENO } from "./support/runtime.js";

const WORK = new URL("./support/crash-work.js", import.meta.url);
const EARLY = new URL("./support/early-work.js", import.meta.url);
const DOOMED = new URL("./support/doomed-work.js", import.meta.url);

async function create(threads: number, options: Partial<JobSystemOptions> = {}) {
  const jobs = await JobSystem.create({ threads, modules: [WORK], ...options });
  const errors: Error[] = [];
  jobs.on("error", (error) => errors.push(error));
  return { jobs, errors };
}

const isCrash = (exitCode: number, job: string) => (error: unknown) => {
  assert.ok(error instanceof WorkerCrashedError, String(error));
  assert.deepEqual({ exitCode: error.exitCode, job: error.job }, { exitCode, job });
  return true;
};

async function stillWorks(jobs: JobSystem): Promise<void> {
  const sums = Array.from({ length: 200 }, (_, k) => jobs.run(work.add, k, 1));
  assert.equal(
    (await Promise.all(sums)).reduce((a, b) => a + b),
    (200 * 201) / 2,
  );
  assert.equal(await jobs.run(work.sumOf, 100), 5050);
}

test(
  "a job that ends its worker fails with the exit code; those after it do not run; the system works on",
  HANGS,
  async () => {
    for (const threads of bound([2], [1, 2, 3])) {
      const { jobs, errors } = await create(threads);
      await assert.rejects(async () => await jobs.run(work.exit, 7), isCrash(7, "exit"));
      const exits = jobs.spawn(work.exit, 0);
      const next = jobs.spawn(work.add, 1, 1).after(exits);
      await assert.rejects(
        async () => await next,
        (error) => error instanceof DependencyFailedError && isCrash(0, "exit")(error.cause),
      );
      // With more than one worker, another may take the child; then the parent fails as a job that throws does.
      await assert.rejects(
        async () => await jobs.run(work.exitInChild, 5),
        (error) =>
          threads > 1 && error instanceof JobFailedError && !(error instanceof WorkerCrashedError)
            ? (error.cause as Error).name === "WorkerCrashedError"
            : isCrash(5, "exitInChild")(error),
      );
      await assert.rejects(async () => await jobs.run(work.exitLater, 6), isCrash(6, "exitLater"));
      await stillWorks(jobs);
      await jobs.shutdown();
      assert.deepEqual(errors, []);
    }
  },
);

test(
  "jobs that wait in the dead worker's queue are run by others, and those it had suspended fail",
  HANGS,
  async () => {
    const { jobs } = await create(2);
    const all = Array.from({ length: 1000 }, (_, k) =>
      k % 100 === 50 ? jobs.run(work.exit, 1) : k % 10 === 3 ? jobs.run(work.later, 1) : jobs.run(work.add, k, 0),
    );
    const outcomes = await Promise.allSettled(all);
    for (const [k, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") assert.equal(outcome.value, k % 10 === 3 ? 1 : k);
      else {
        assert.ok(outcome.reason instanceof WorkerCrashedError, String(outcome.reason));
        assert.ok(k % 100 === 50 || k % 10 === 3, `job ${k} failed`);
      }
    }
    await stillWorks(jobs);
    await jobs.shutdown();
  },
);

test("a group rejects with the crash, and all its other jobs run once", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    const { jobs } = await create(threads);
    const cells = new Int32Array(new SharedArrayBuffer(4 * 2000));
    const group = jobs.group();
    for (let k = 0; k < cells.length; k++) {
      if (k % 700 === 350) group.run(work.exit, 1);
      else group.run(work.mark, cells, k);
    }
    await assert.rejects(async () => await group, isCrash(1, "exit"));
    for (const [k, runs] of cells.entries()) assert.equal(runs, k % 700 === 350 ? 0 : 1, `job ${k}`);
    await jobs.shutdown();
  }
});

/** What a thread ends with after an error that nobody catches: 0 to what `bun test` runs. */
const UNCAUGHT = BUN ? 0 : 1;
const limits = BUN || DENO ? {} : { resourceLimits: { maxOldGenerationSizeMb: 32 } };
const NO_LIMITS = { ...HANGS, skip: (BUN || DENO) && "Bun and Deno end no thread that takes too much memory" };

test("memory that runs out ends only the worker", NO_LIMITS, async () => {
  const { jobs } = await create(2, limits);
  await assert.rejects(
    async () => await jobs.run(work.hog),
    (error) => isCrash(1, "hog")(error) && /memory/.test((error as Error).message),
  );
  await stillWorks(jobs);
  await jobs.shutdown();
});

const WITH_LIMITS = { skip: !BUN && !DENO && "this runtime keeps them" };

test("limits that the runtime does not keep are refused by name", WITH_LIMITS, async () => {
  const limits = { maxOldGenerationSizeMb: 32 };
  await assert.rejects(
    create(1, { resourceLimits: limits }),
    BUN ? /resourceLimits is not kept by Bun/ : /resourceLimits is not kept by Deno/,
  );
});

test("an error outside of any job is reported, and the worker replaced", HANGS, async () => {
  const { jobs, errors } = await create(1);
  await jobs.run(work.throwOutside);
  await until(() => errors.length > 0);
  assert.match(
    errors[0].message,
    new RegExp(`a worker thread ended unexpectedly with code ${UNCAUGHT}: outside of any job`),
  );
  await stillWorks(jobs);
  await jobs.shutdown();
  assert.equal(errors.length, 1);
});

test("a crash that nobody waits for is reported", HANGS, async () => {
  const { jobs, errors } = await create(2);
  jobs.run(work.exit, 9);
  await until(() => errors.length > 0);
  isCrash(9, "exit")(errors[0]);
  await jobs.shutdown();
});

test("synchronous waits notice a death, on the main thread and on workers", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    const { jobs } = await create(threads, limits);
    for (let round = 0; round < bound(1, 3); round++) {
      assert.throws(() => jobs.run(work.exitLater, 3).wait(), isCrash(3, "exitLater"));
      const group = jobs.group();
      group.run(work.exitLater, 4);
      group.run(work.exitLater, 5);
      assert.throws(() => group.wait(), WorkerCrashedError);
      assert.equal(jobs.run(work.add, 1, 2).wait(), 3);
    }
    if (threads === 1 && !BUN && !DENO) assert.throws(() => jobs.run(work.hog).wait(), isCrash(1, "hog"));
    // Where the other worker has taken the child, only that one dies, and the parent fails as a job that throws does.
    await assert.rejects(
      async () => await jobs.run(work.exitInChild, 6),
      (error: Error) => error instanceof WorkerCrashedError || (error.cause as Error).name === "WorkerCrashedError",
    );
    await jobs.shutdown();
  }
});

test("handles on other threads: who waits for another thread's job hears of the crash", HANGS, async () => {
  const { jobs } = await create(3);
  for (let round = 0; round < bound(4, 10); round++) {
    const dying = jobs.spawn(work.exitLater, 2);
    const waiting = [
      jobs.run(work.waitFor, dying as never),
      jobs.run(work.awaitJob, dying as never),
      jobs.run(work.awaitJob, dying as never),
    ];
    const outcomes = await Promise.allSettled([dying, ...waiting]);
    for (const { status } of outcomes) assert.equal(status, "rejected");
  }
  await stillWorks(jobs);
  await jobs.shutdown();
});

test("jobs that a dead worker's job has made still run, once each", HANGS, async () => {
  const { jobs, errors } = await create(2);
  for (let round = 0; round < 5; round++) {
    const cells = new Int32Array(new SharedArrayBuffer(4 * 200));
    await assert.rejects(async () => await jobs.run(work.exitAsParent, cells, 100), isCrash(4, "exitAsParent"));
    await until(() => cells.every((runs) => runs > 0));
    assert.ok(cells.every((runs) => runs === 1));
  }
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});

test("shared memory, strings and clones reach the worker that takes a dead one's place", HANGS, async () => {
  const { jobs } = await create(2);
  const array = new Float64Array(new SharedArrayBuffer(80));
  await jobs.run(work.fill, array, 1);
  for (let round = 0; round < 4; round++) {
    await assert.rejects(async () => await jobs.run(work.exit, 1), WorkerCrashedError);
    const shares = await Promise.all(Array.from({ length: 8 }, () => jobs.run(work.share, 10)));
    for (const each of shares) assert.deepEqual([...each], new Array(10).fill(7));
    assert.equal(await jobs.run(work.fill, shares[round], round), 10);
    assert.equal(shares[round][9], round);
    assert.equal(await jobs.run(work.fill, array, round), 10);
    const long = "word ".repeat(1000);
    assert.equal(await jobs.run(work.text, long, ["a", "b"], new Map([["x", 1]])), `${long}21`);
  }
  await jobs.shutdown();
});

test("a worker that dies during a shutdown: what is scheduled is still finished", HANGS, async () => {
  for (const threads of bound([2], [1, 2, 3])) {
    const { jobs, errors } = await create(threads);
    const dying = jobs.spawn(work.exit, 3).after(jobs.spawn(work.sleep, 30));
    const after = jobs.spawn(work.add, 1, 1).after(dying);
    const others = Array.from({ length: 100 }, (_, k) => jobs.run(work.add, k, 0));
    after.schedule();
    const outcome = after.then(undefined, (error: unknown) => error);
    await jobs.shutdown();
    const error = await outcome;
    assert.ok(error instanceof DependencyFailedError && isCrash(3, "exit")(error.cause));
    for (const [k, job] of others.entries()) assert.equal(await job, k);
    assert.deepEqual(errors, []);
  }
});

test(
  "workers that die again and again before they have run a job: it is given up, and everything fails",
  HANGS,
  async () => {
    const jobs = await JobSystem.create({ threads: 2, modules: [DOOMED] });
    const errors: Error[] = [];
    jobs.on("error", (error) => errors.push(error));
    const never = jobs.spawn(doomed.nothing);
    process.env[doomed.DOOMED] = "1";
    try {
      await assert.rejects(async () => await jobs.run(doomed.exit, 1), isCrash(1, "exit"));
      await until(() => errors.some((error) => /that was 10 times/.test(error.message)));
    } finally {
      delete process.env[doomed.DOOMED];
    }
    const pattern = new RegExp(`ended unexpectedly with code ${UNCAUGHT}: doomed; that was 10 times`);
    assert.throws(
      () => jobs.run(doomed.nothing),
      (error) => error instanceof ShutdownError && pattern.test(error.message),
    );
    await assert.rejects(async () => await never, ShutdownError);
    await jobs.shutdown();
  },
);

const TOLD = { ...HANGS, skip: DENO && "Deno loses what a worker tells who hears of it by an event" };

test("a worker that dies while others are still starting is replaced", TOLD, async () => {
  const workers = watchWorkers();
  const orders = new BroadcastChannel(early.ORDERS);
  process.env[early.TOLD] = "1";
  setEnvironmentData(early.COUNT, new Int32Array(new SharedArrayBuffer(4)));
  const tell = setInterval(() => {
    // The first, when it is ready; the second, when that has died.
    if (workers.all.size === 2 && workers.ready.size === 1) orders.postMessage(1);
    if (workers.all.size === 1) orders.postMessage(2);
  }, 1);
  const errors: Error[] = [];
  try {
    const jobs = await JobSystem.create({ threads: 2, modules: [EARLY] });
    delete process.env[early.TOLD];
    jobs.on("error", (error) => errors.push(error));
    await until(() => errors.length > 0);
    assert.match(
      errors[0].message,
      new RegExp(`ended unexpectedly with code ${UNCAUGHT}: early; another has taken its place`),
    );
    const sums = Array.from({ length: 200 }, (_, k) => jobs.run(early.add, k, 1));
    assert.deepEqual(
      await Promise.all(sums),
      sums.map((_, k) => k + 1),
    );
    await jobs.shutdown();
    assert.equal(errors.length, 1);
  } finally {
    clearInterval(tell);
    orders.close();
    delete process.env[early.TOLD];
  }
});

test("retries: a job whose worker dies is run again with the same arguments, as often as it may", HANGS, async () => {
  const { jobs, errors } = await create(2);
  const cell = () => new Int32Array(new SharedArrayBuffer(4));
  const [done, twice, never, later] = [cell(), cell(), cell(), cell()];
  const long = "word ".repeat(100);
  const flaky = jobs.spawn(work.flaky, done, 3, long, [1, 2, 3]).with({ retries: 2 });
  const after = jobs.spawn(work.add, 1, 2).after(flaky);
  assert.equal(await after, 3);
  assert.equal(await flaky, `${long}3`);
  assert.equal(done[0], 3);
  const tooFew = jobs.spawn(work.flaky, twice, 9, "", []).with({ retries: 2 });
  await assert.rejects(async () => await tooFew, isCrash(8, "flaky"));
  assert.equal(twice[0], 3);
  await assert.rejects(async () => await jobs.run(work.flaky, never, 9, "", []), isCrash(8, "flaky"));
  assert.equal(never[0], 1);
  assert.equal(await jobs.spawn(work.flakyLater, later, 2, new Map([["a", 1]])).with({ retries: 1 }), 1);
  const throwing = jobs.spawn(work.fail, "no crash").with({ retries: 5 });
  await assert.rejects(async () => await throwing, /no crash/);
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});

test("kill: a job that has run for too long ends with its worker, which is replaced", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    const { jobs, errors } = await create(threads);
    for (const fn of [work.loop, work.loopLater]) {
      const loops = new Int32Array(new SharedArrayBuffer(4));
      const job = jobs.spawn(fn, loops).with({ timeout: 20, kill: true });
      const after = jobs.spawn(work.add, 1, 2).after(job);
      const outcome = after.then(undefined, (error: unknown) => error);
      // With one worker, what is submitted is published in a microtask.
      await null;
      // Only the event loop, which stands still here, ends it: not before its worker can do nothing but loop.
      while (Atomics.load(loops, 0) === 0);
      const beside = Array.from({ length: 50 }, (_, k) => jobs.run(work.add, k, 0));
      await assert.rejects(async () => await job, JobTimeoutError);
      assert.ok((await outcome) instanceof DependencyFailedError);
      assert.equal((await Promise.all(beside)).length, 50);
      await stillWorks(jobs);
    }
    const retried = jobs
      .spawn(work.loop, new Int32Array(new SharedArrayBuffer(4)))
      .with({ timeout: 20, kill: true, retries: 3 });
    await assert.rejects(async () => await retried, JobTimeoutError);
    await stillWorks(jobs);
    await jobs.shutdown();
    assert.deepEqual(errors, []);
  }
});

test("kill: whatever else is on the thread dies with it; synchronous waits hear of the end too", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    const { jobs } = await create(threads);
    const parent = jobs.spawn(work.loopInChild).with({ timeout: 20, kill: true });
    await assert.rejects(async () => await parent, JobTimeoutError);
    const job = jobs.spawn(work.loop, new Int32Array(new SharedArrayBuffer(4))).with({ timeout: 20, kill: true });
    assert.throws(() => job.wait(), JobTimeoutError);
    assert.equal(jobs.run(work.add, 1, 2).wait(), 3);
    await jobs.shutdown();
  }
});

test("kill: a thread has ended when another takes its place", HANGS, async () => {
  const { jobs } = await create(1);
  for (const fn of [work.countEndlessly, work.countAndSleep]) {
    const cells = new Int32Array(new SharedArrayBuffer(4));
    await assert.rejects(async () => await jobs.spawn(fn, cells).with({ timeout: 50, kill: true }), JobTimeoutError);
    assert.equal(await jobs.run(work.add, 1, 2), 3);
    const counted = cells[0];
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(cells[0], counted);
  }
  await jobs.shutdown();
});

/** The names of an error and of its causes, from the outside in. */
function namesOf(error: unknown): string {
  return error instanceof Error ? [error.name, namesOf(error.cause)].join(" ").trimEnd() : "";
}

/** A job of the group has crashed. */
const WHY_GROUP_FAILS = /^WorkerCrashedError$/;
/** It has crashed, or a job that it waits for has, or one before that. */
const WHY_CHURN_FAILS = /^(JobFailedError (DependencyFailedError )?)?WorkerCrashedError$/;
/** It has crashed, or one before it has, or a job that this waits for. */
const WHY_CHAIN_FAILS = /^(DependencyFailedError (JobFailedError )?)?WorkerCrashedError$/;

test("workers that are terminated at any moment: no job is lost, none runs twice", HANGS, async () => {
  const workers = watchWorkers();
  const { jobs } = await create(3);
  let killing = true;
  // While a worker is being terminated, nothing else may keep the process alive.
  const alive = setInterval(() => {}, 1000);
  const killer = (async () => {
    while (killing) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      // Ten that are ended one after the other before they have started would be given up, rightly.
      if (DENO ? workers.all.size < 3 : 3 * workers.ready.size < 2 * workers.all.size) continue;
      const all = [...workers.all];
      await all[Math.floor(Math.random() * all.length)]?.terminate();
    }
  })();
  let crashed = 0;
  try {
    for (let round = 0; round < bound(4, 20) || crashed < bound(2, 10); round++) {
      const cells = new Int32Array(new SharedArrayBuffer(4 * 500));
      const group = jobs.group();
      for (let k = 0; k < 500; k++) group.run(work.mark, cells, k);
      const chains = Array.from({ length: 100 }, (_, k) =>
        jobs.spawn(work.add, k, 0).after(jobs.spawn(work.add, 1, 1), jobs.spawn(work.sumOf, 5)),
      );
      const churning = [jobs.run(work.churn, 20), jobs.run(work.churn, 20)];
      const outcomes = await Promise.allSettled([group, ...churning, ...chains]);
      for (const [k, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled") continue;
        const why = k === 0 ? WHY_GROUP_FAILS : k <= churning.length ? WHY_CHURN_FAILS : WHY_CHAIN_FAILS;
        assert.match(namesOf(outcome.reason), why);
        crashed++;
      }
      const missing = cells.filter((runs) => runs !== 1).length;
      assert.ok(missing === 0 || outcomes[0].status === "rejected", `${missing} jobs did not run once`);
      assert.ok(
        cells.every((runs) => runs <= 1),
        "a job ran twice",
      );
    }
  } finally {
    killing = false;
    await killer;
    clearInterval(alive);
  }
  await stillWorks(jobs);
  await jobs.shutdown();
});
