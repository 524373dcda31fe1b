import assert from "node:assert/strict";
import test from "node:test";
import {
  ArenaFullError,
  DependencyCycleError,
  DependencyFailedError,
  JobAlreadyScheduledError,
  JobFailedError,
  JobSystem,
  ShutdownError,
  shared,
  UnknownJobFunctionError,
} from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";
import { runModule } from "./support/programs.js";
import { DENO } from "./support/runtime.js";
import { WORK, withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

for (const threads of bound([2], [1, 2, 5])) {
  test(`fork–join: fib(${threads === 1 ? 18 : 25}) on ${threads} threads`, HANGS, async () => {
    await withSystem({ threads }, async (jobs) => {
      assert.equal(await jobs.run(work.fib, threads === 1 ? 18 : 25), threads === 1 ? 2584 : 75025);
      assert.equal(jobs.run(work.fib, 12).wait(), 144);
    });
  });

  test(`wait, await, Promise.all and groups on ${threads} threads`, HANGS, async () => {
    await withSystem({ threads }, async (jobs) => {
      assert.equal(jobs.spawn(work.add, 1, 2).wait(), 3);
      assert.equal(await jobs.spawn(work.add, 3, 4), 7);
      const many = Array.from({ length: 20000 }, (_, k) => jobs.run(work.add, k, 1));
      assert.deepEqual(
        await Promise.all(many),
        many.map((_, k) => k + 1),
      );
      const cells = shared(Int32Array, 4);
      const group = jobs.group();
      await group;
      for (let round = 1; round <= 3; round++) {
        for (let k = 0; k < 10000; k++) group.run(work.count, cells, 0);
        if (round === 2) group.wait();
        else await group;
        assert.equal(cells[0], round * 10000);
      }
      await Promise.all(Array.from({ length: 50 }, () => jobs.run(work.spawnGroup, cells, 1, 100)));
      assert.equal(cells[1], 5000);
    });
  });
}

test("waiting inside jobs 1,000 deep works", HANGS, async () => {
  // Deno gives each thread the same small stack.
  const deep = DENO ? 500 : 1000;
  await withSystem({ threads: 2 }, async (jobs) => assert.equal(await jobs.run(work.down, deep), deep));
});

test("waiting inside jobs too deep is an error, not a crash", { ...HANGS, ...ONLY_LONG }, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    await assert.rejects(
      async () => await jobs.run(work.down, 5000),
      DENO ? /jobs wait inside jobs 512 deep/ : /jobs wait inside jobs 1500 deep/,
    );
    assert.equal(await jobs.run(work.add, 1, 1), 2);
  });
});

test("a failure reaches every waiter with its cause", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const job = jobs.spawn(work.boom, "bad luck");
    const check = (error: unknown) => {
      assert.ok(error instanceof JobFailedError);
      assert.equal(error.name, "JobFailedError");
      assert.equal(error.job, "boom");
      const cause = error.cause as RangeError & { code: string; detail: { n: number } };
      assert.ok(cause instanceof RangeError);
      assert.equal(cause.message, "bad luck");
      assert.match(cause.stack ?? "", /boom/);
      assert.equal(cause.code, "E_BOOM");
      assert.deepEqual(cause.detail, { n: 7 });
      return true;
    };
    await assert.rejects(async () => await job, check);
    await assert.rejects(job.then(), check);
    assert.throws(() => job.wait(), check);
    const nested = await jobs
      .run(work.throwNested)
      .then(undefined, (error: unknown) => (error as JobFailedError).cause);
    assert.ok(nested instanceof TypeError);
    assert.ok(nested.cause instanceof SyntaxError);
    assert.equal((nested as unknown as { errno: number }).errno, -2);
    for (const thrown of ["text", 7, null, undefined, { code: 1 }]) {
      const error = await jobs.run(work.throwValue, thrown).then(undefined, (e: unknown) => e);
      assert.deepEqual((error as JobFailedError).cause, thrown);
    }
  });
});

test("what depends on a failed job does not run and fails with the first cause", HANGS, async () => {
  await withSystem({ threads: 3 }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    const bad = jobs.spawn(work.boom, "first");
    const good = jobs.spawn(work.nothing);
    const middle = jobs.spawn(work.count, cells, 0).after(good, bad);
    const last = jobs.spawn(work.count, cells, 1).after(middle, good);
    const error = await last.then(undefined, (e: unknown) => e);
    assert.ok(error instanceof DependencyFailedError);
    assert.ok(error.cause instanceof JobFailedError);
    assert.equal((error.cause.cause as Error).message, "first");
    assert.deepEqual([...cells], [0, 0]);
    const late = jobs.spawn(work.nothing).after(bad);
    await assert.rejects(async () => await late, DependencyFailedError);
  });
});

test("a group rejects with its first failure and can be used again", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const group = jobs.group();
    for (let k = 0; k < 100; k++) group.run(k % 10 === 3 ? work.boom : work.nothing, "in a group");
    await assert.rejects(async () => await group, /in a group/);
    group.run(work.nothing);
    await group;
    group.run(work.boom, "again");
    assert.throws(() => group.wait(), /again/);
  });
});

test("a cycle is found when it is scheduled, named, and nothing of it has run", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    const a = jobs.spawn(work.count, cells, 0);
    const b = jobs.spawn(work.nothing);
    const c = jobs.spawn(work.echo, 1);
    const outside = jobs.spawn(work.count, cells, 0);
    outside.then(a).then(b).then(c).then(a);
    const error = await b.then(undefined, (e: unknown) => e);
    assert.ok(error instanceof DependencyCycleError);
    assert.deepEqual([...error.jobs].sort(), ["count", "echo", "nothing"]);
    assert.throws(() => c.wait(), DependencyCycleError);
    assert.throws(() => a.schedule(), DependencyCycleError);
    const self = jobs.spawn(work.nothing);
    self.then(self);
    assert.throws(() => self.schedule(), DependencyCycleError);
    assert.equal(cells[0], 0);
    await outside;
    assert.equal(cells[0], 1);
    const report = await jobs.shutdown();
    assert.deepEqual(report.neverScheduled, { count: 1, nothing: 2, echo: 1 });
  });
});

test("prerequisites come before scheduling; a prerequisite that is done counts as met", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const first = jobs.run(work.add, 1, 1);
    await first;
    assert.equal(await jobs.spawn(work.add, 2, 2).after(first), 4);
    const next = jobs.run(work.sleep, 5);
    assert.throws(() => first.then(next), JobAlreadyScheduledError);
    assert.throws(() => jobs.spawn(work.nothing).then(next), JobAlreadyScheduledError);
    await next;
    assert.throws(() => next.after(first), JobAlreadyScheduledError);
  });
});

test("wrong input is refused with the name of what was wrong", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    assert.throws(() => jobs.spawn(() => 1), UnknownJobFunctionError);
    assert.throws(
      () => jobs.spawn(assert.rejects as unknown as () => void),
      /function "rejects" is not a registered job function; export it/,
    );
    assert.throws(() => jobs.spawn(null as unknown as () => void), UnknownJobFunctionError);
    assert.throws(() => jobs.spawn(work.nothing).after({} as never), /the prerequisite must be a Job/);
    await withSystem({ threads: 1 }, (other) => {
      assert.throws(() => jobs.spawn(work.nothing).then(other.spawn(work.nothing)), /belongs to another JobSystem/);
    });
    await assert.rejects(async () => await jobs.run(work.aFunction), /the result cannot be copied/);
  });
  for (const threads of [-1, 1.5, Number.NaN, 257, Number.POSITIVE_INFINITY, "2" as never]) {
    await assert.rejects(JobSystem.create({ threads, modules: [WORK] }), /^(Range|Type)Error: threads must be/);
  }
  await assert.rejects(JobSystem.create({ maxJobs: 3, modules: [WORK] }), /maxJobs must be/);
  await assert.rejects(JobSystem.create({ modules: [] }), /modules must be/);
  await assert.rejects(JobSystem.create({ modules: ["./work.js"] }), /relative path/);
  await assert.rejects(JobSystem.create(undefined as never), /needs options/);
});

test("a module that does not load or throws makes create reject, and no worker is left", HANGS, async () => {
  const missing = new URL("./support/missing.js", import.meta.url);
  await assert.rejects(JobSystem.create({ threads: 2, modules: [missing] }), /missing\.js/);
  const source = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
  const onWorker = source(
    'import { isMainThread } from "node:worker_threads"; if (!isMainThread) throw new RangeError("not here"); export function f() {}',
  );
  await assert.rejects(JobSystem.create({ threads: 3, modules: [onWorker] }), /RangeError: not here/);
  const renamed = source(
    'import { isMainThread } from "node:worker_threads"; function f() {} export default isMainThread ? f : function other() {}',
  );
  await assert.rejects(JobSystem.create({ threads: 2, modules: [renamed] }), /must not depend on the thread/);
});

test("shutdown finishes what is scheduled; after it every call throws", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 2, modules: [WORK] });
  const cells = shared(Int32Array, 1);
  const group = jobs.group();
  for (let k = 0; k < 5000; k++) group.run(work.count, cells, 0);
  const slow = jobs.run(work.sleep, 30);
  const forgotten = jobs.spawn(work.add, 1, 2);
  const pending = forgotten.then((value) => value);
  const never = jobs.spawn(work.add, 1, 2);
  const report = await jobs.shutdown();
  assert.equal(cells[0], 5000);
  assert.equal(await pending, 3);
  assert.equal(await slow, undefined);
  assert.deepEqual(report.neverScheduled, { add: 1 });
  await assert.rejects(async () => await never, ShutdownError);
  assert.throws(() => jobs.spawn(work.nothing), ShutdownError);
  assert.throws(() => jobs.run(work.nothing), ShutdownError);
  assert.throws(() => jobs.group(), ShutdownError);
  assert.throws(() => group.run(work.nothing), ShutdownError);
  assert.deepEqual(await jobs.shutdown(), report);
});

test("a forced shutdown cancels what has not started, and every waiter settles", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 2, modules: [WORK] });
  const cells = [shared(Int32Array, 2), shared(Int32Array, 2)];
  const held = Promise.all(cells.map((each) => jobs.run(work.holdFor, each, 0)));
  await until(() => cells.every((each) => Atomics.load(each, 0) === 1));
  const outcomes = Promise.allSettled(Array.from({ length: 200 }, () => jobs.run(work.nothing)));
  const stopped = jobs.shutdown({ force: true, grace: 10_000 });
  for (const each of cells) Atomics.store(each, 1, 1);
  await stopped;
  await held;
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === "rejected" && outcome.reason instanceof ShutdownError);
  }
});

test("a failure that nobody waits for is reported, from any thread", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const seen: string[] = [];
    jobs.on("error", (error) => seen.push(error.message));
    jobs.run(work.boom, "alone");
    jobs.run(work.failInside);
    const watched = jobs.run(work.boom, "watched");
    await assert.rejects(async () => await watched);
    await until(() => seen.length === 2);
    assert.deepEqual(seen.sort(), ['job "boom" failed: alone', 'job "boom" failed: from inside']);
  });
});

test("a failure before a job that is never scheduled is reported at shutdown", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 1, modules: [WORK] });
  const seen: Error[] = [];
  jobs.on("error", (error) => seen.push(error));
  const failing = jobs.spawn(work.boom, "hidden");
  failing.then(jobs.spawn(work.nothing));
  failing.schedule();
  await jobs.run(work.nothing);
  await jobs.shutdown();
  assert.equal(seen.length, 1);
  assert.ok(seen[0] instanceof DependencyFailedError);
});

test("a cycle is named in full, whatever the order of the links", HANGS, async () => {
  await withSystem({ threads: 1 }, (jobs) => {
    const a = jobs.spawn(work.nothing);
    const b = jobs.spawn(work.echo, 1);
    const root = jobs.spawn(work.add, 1, 2);
    a.then(root);
    b.then(root);
    b.then(a);
    a.then(b);
    assert.throws(
      () => root.schedule(),
      (error: unknown) => error instanceof DependencyCycleError && [...error.jobs].sort().join() === "echo,nothing",
    );
  });
});

test("a full arena throws outside, helps inside, and loses nothing", HANGS, async () => {
  await withSystem({ threads: 2, maxJobs: 256 }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    const held = [];
    let error: unknown;
    while (error === undefined && held.length < 1000) {
      try {
        held.push(jobs.spawn(work.count, cells, 0));
      } catch (thrown) {
        error = thrown;
      }
    }
    assert.ok(error instanceof ArenaFullError);
    assert.match(error.message, /larger maxJobs/);
    assert.ok(held.length >= 256, `${held.length} jobs were live`);
    for (const job of held) job.schedule();
    for (const job of held) await job;
    assert.equal(cells[0], held.length);
    await jobs.run(work.spawnMany, cells, 20000);
    assert.equal(cells[0], held.length + 20000);
    await assert.rejects(
      async () => await jobs.run(work.spawnUnscheduled, 5000),
      /no room for job "nothing": 256 jobs are live/,
    );
  });
});

test("an idle pool uses no processor time", HANGS, async () => {
  await withSystem({ threads: 4 }, async (jobs) => {
    await jobs.run(work.nothing);
    let used = Number.POSITIVE_INFINITY;
    // The best of several, as the runtime's own threads may have something to do.
    for (let tries = 0; tries < 20 && used >= 10_000; tries++) {
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const { user, system } = process.cpuUsage(before);
      used = user + system;
    }
    assert.ok(used < 10_000, `${used / 1000} ms in a second`);
  });
});

test("timers that a job sets on its worker fire while the worker is idle", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    await jobs.run(work.timer, cells);
    await until(() => Atomics.load(cells, 0) === 1);
    // The worker lives on after its last timer.
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await jobs.run(work.add, 1, 2), 3);
  });
});

test("a program that awaits and ends without shutdown ends by itself", HANGS, () => {
  const library = new URL("../../dist/index.js", import.meta.url).href;
  const program = `import { JobSystem } from ${JSON.stringify(library)};
    import * as work from ${JSON.stringify(WORK.href)};
    const jobs = await JobSystem.create({ threads: 2, modules: [${JSON.stringify(WORK.href)}] });
    const slow = jobs.run(work.sleep, 20).then(() => console.log("slow"));
    jobs.run(work.sleep, 60).wait();
    await slow;
    console.log(await jobs.run(work.add, 1, 2));`;
  const run = runModule(program);
  assert.equal(run.stdout, "slow\n3\n", run.stderr);
  assert.equal(run.status, 0);
});
