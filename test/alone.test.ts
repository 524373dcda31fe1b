/** `threads: 0`: the calling thread runs all jobs itself. */
import assert from "node:assert/strict";
import test, { mock } from "node:test";
import {
  Channel,
  type Job,
  JobCancelledError,
  JobFailedError,
  JobSystem,
  JobTimeoutError,
  ShutdownError,
  shared,
  WaitGroup,
  WouldBlockError,
} from "heddle";
import * as aloneWork from "./support/alone-work.js";
import { HANGS } from "./support/hangs.js";
import { runModule } from "./support/programs.js";
import { BUN, DENO } from "./support/runtime.js";
import { WORK, withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

const ALONE = { threads: 0 };
const ALONE_WORK = new URL("./support/alone-work.js", import.meta.url);

test("without threads: results, groups, fork–join, failures and dependencies are as with them", HANGS, async () => {
  await withSystem(ALONE, async (jobs) => {
    assert.equal(jobs.threads, 0);
    assert.equal(await jobs.run(work.add, 1, 2), 3);
    assert.equal(jobs.run(work.fib, 12).wait(), 144);
    // The runners of Bun's and Deno's tests enter an asynchronous context, and with any jobs wait half as deep.
    const depth = BUN || DENO ? 200 : 300;
    assert.equal(await jobs.run(work.down, depth), depth);
    const cells = shared(Int32Array, 3);
    await jobs.run(work.spawnGroup, cells, 0, 500);
    const group = jobs.group();
    for (let k = 0; k < 3000; k++) group.run(work.count, cells, 1);
    await group;
    const waited = jobs.group();
    for (let k = 0; k < 3000; k++) waited.run(work.count, cells, 2);
    waited.wait();
    assert.deepEqual([...cells], [500, 3000, 3000]);
    const first = jobs.spawn(work.boom, "bad");
    const next = first.then(jobs.spawn(work.nothing));
    await assert.rejects(async () => await next, /bad/);
    await assert.rejects(async () => await first, JobFailedError);
  });
});

test("without threads: jobs run in the order in which they became ready, whatever their priority", HANGS, async () => {
  await withSystem(ALONE, async (jobs) => {
    const order = shared(Int32Array, 8);
    const last = jobs.spawn(work.log, order, 9);
    const all = [3, 1, 2].map((id) => jobs.spawn(work.log, order, id).with({ priority: id === 2 ? "high" : "low" }));
    for (const job of all) job.then(last);
    await last;
    assert.deepEqual([...order.subarray(0, 5)], [4, 3, 1, 2, 9]);
    await jobs.run(work.logTwoAndWait, order.fill(0) as Int32Array);
    assert.deepEqual([...order.subarray(0, 4)], [3, 2, 1, 3]);
  });
});

test("without threads: arguments and results are copied", HANGS, async () => {
  await withSystem(ALONE, async (jobs) => {
    const given = { list: [1, 2], text: "héddle" };
    const job = jobs.run(work.echo, given);
    given.list.push(3);
    const result = await job;
    assert.deepEqual(result, { list: [1, 2], text: "héddle" });
    const memory = shared(Int32Array, 2);
    await jobs.run(work.count, memory, 1);
    assert.equal(memory[1], 1);
  });
});

test("without threads: jobs call the functions that the caller imports, mocks too", HANGS, async () => {
  const add = mock.fn((a: number, b: number) => a * b);
  const jobs = await JobSystem.create({ threads: 0, modules: [{ ...work, add }] });
  assert.equal(await jobs.run(add, 3, 4), 12);
  assert.equal(add.mock.callCount(), 1);
  await jobs.shutdown();
  const both = await JobSystem.create({ threads: 0, modules: [[WORK, { ...work, add }]] });
  assert.equal(await both.run(work.add, 3, 4), 12);
  assert.equal(add.mock.callCount(), 2);
  await both.shutdown();
});

test("without threads: asynchronous jobs, time limits and signals", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 0, modules: [ALONE_WORK] });
  assert.deepEqual(
    await Promise.all([20, 5, 10].map((milliseconds) => jobs.run(aloneWork.later, milliseconds))),
    [20, 5, 10],
  );
  assert.equal(await jobs.run(aloneWork.awaits, 3), 6);
  for (const kill of [false, true]) {
    const late = jobs.spawn(aloneWork.later, 300).with({ timeout: 20, kill });
    await assert.rejects(async () => await late, JobTimeoutError);
  }
  const abort = new AbortController();
  const cancelled = jobs.spawn(aloneWork.untilAborted).with({ signal: abort.signal });
  setTimeout(() => abort.abort(), 10);
  assert.equal(await cancelled, "stopped");
  const never = jobs.spawn(aloneWork.later, 1).with({ signal: AbortSignal.abort() });
  await assert.rejects(async () => await never, JobCancelledError);
  await jobs.shutdown();
});

test("without threads: what would wait for ever says so", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 0, modules: [ALONE_WORK, WORK] });
  assert.throws(() => jobs.run(aloneWork.later, 5).wait(), WouldBlockError);
  await assert.rejects(
    async () => await jobs.run(aloneWork.waitsForLater),
    (error: Error) => {
      assert.equal((error.cause as Error).name, "WouldBlockError");
      return true;
    },
  );
  const channel = new Channel({ capacity: 2 });
  await assert.rejects(
    async () => await jobs.run(aloneWork.receives, channel),
    (error: Error) => {
      assert.equal((error.cause as Error).name, "WouldBlockError");
      return true;
    },
  );
  await channel.send(7);
  assert.equal(await jobs.run(aloneWork.receives, channel), 7);
  const waitGroup = new WaitGroup();
  waitGroup.add(3);
  await assert.rejects(
    async () => await jobs.run(aloneWork.waitsForGroup, waitGroup, 2),
    (error: Error) => {
      assert.equal((error.cause as Error).name, "WouldBlockError");
      return true;
    },
  );
  assert.equal(await jobs.run(aloneWork.waitsForGroup, waitGroup, 1), "done");
  await jobs.shutdown();
});

test("without threads: a shutdown runs what is scheduled; by force it does not", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 0, modules: [ALONE_WORK, WORK] });
  const cells = shared(Int32Array, 1);
  for (let k = 0; k < 100; k++) jobs.run(work.count, cells, 0);
  const suspended = jobs.run(aloneWork.later, 10);
  jobs.spawn(work.nothing);
  assert.deepEqual(await jobs.shutdown(), { neverScheduled: { nothing: 1 } });
  assert.equal(cells[0], 100);
  assert.equal(await suspended, 10);
  assert.throws(() => jobs.run(work.nothing), ShutdownError);
  const forced = await JobSystem.create({ threads: 0, modules: [ALONE_WORK, WORK] });
  const all: Job<unknown>[] = [forced.run(work.count, cells, 0), forced.run(aloneWork.later, 60_000)];
  const outcomes = Promise.allSettled(all);
  await forced.shutdown({ force: true });
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === "rejected" && outcome.reason instanceof ShutdownError, JSON.stringify(outcome));
  }
  assert.equal(cells[0], 100);
});

test("without threads: no shared memory is needed, and the process ends by itself when all is done", HANGS, () => {
  const program = `
    delete globalThis.SharedArrayBuffer;
    const { JobSystem } = await import("heddle");
    const work = await import(${JSON.stringify(ALONE_WORK.href)});
    const jobs = await JobSystem.create({ threads: 0, modules: [work] });
    const late = jobs.spawn(work.never).with({ timeout: 50 });
    console.log(await jobs.run(work.later, 3), (await Promise.allSettled([late]))[0].reason.name);
    console.log(jobs.run(work.sum, [1, 2, 3], "x".repeat(100_000)).wait());`;
  const done = runModule(program);
  assert.equal(done.stderr, "");
  assert.equal(done.stdout, "3 JobTimeoutError\n100006\n");
});
