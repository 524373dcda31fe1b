/** The end of workers: whatever jobs have left open, a shutdown ends; by force, whatever they do. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { type Job, JobSystem, ShutdownError, shared } from "heddle";
import { HANGS, PATIENCE, settled, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/open-work.js";
import { BUN, DENO } from "./support/runtime.js";

const WORK = new URL("./support/open-work.js", import.meta.url);
const PROGRAM = fileURLToPath(new URL("./support/ending-program.js", import.meta.url));

const create = (threads: number) => JobSystem.create({ threads, modules: [WORK] });

/** Bun does not end a thread in such a handler, and Deno's port lacks what this calls. */
const NOT_THERE = BUN ? "exit handler that loops" : DENO ? "closed parentPort" : "";

for (const name of work.WAYS.filter((way) => way !== NOT_THERE)) {
  test(`left open or done: ${name}; the next job runs, and shutdown ends, also by force`, HANGS, async () => {
    for (const force of [false, true]) {
      const jobs = await create(1);
      await jobs.run(work.open, name);
      assert.equal(await jobs.run(work.add, 1, 2), 3);
      const report = await settled(jobs.shutdown({ force }), `shutdown({ force: ${force} })`);
      assert.deepEqual(report, { neverScheduled: {} });
    }
  });
}

const ENDLESS: ((cells: Int32Array) => unknown)[] = [work.loop, work.sleep, work.wait, work.loopLater];

for (const fn of ENDLESS) {
  test(`by force, a worker in ${fn.name} is ended, and everything settles with ShutdownError`, HANGS, async () => {
    for (const threads of bound([3], [1, 3])) {
      const jobs = await create(threads);
      const cells = shared(Int32Array, 1);
      const first = jobs.run(fn, cells);
      const group = jobs.group();
      const inGroup = shared(Int32Array, 1);
      group.run(fn, inGroup);
      const outcomes = Promise.allSettled([first, jobs.spawn(work.add, 1, 2).after(first), group]);
      await until(() => Atomics.load(cells, 0) === 1);
      await settled(jobs.shutdown({ force: true, grace: 10 }), "the shutdown");
      for (const outcome of await settled(outcomes, "the jobs")) {
        assert.ok(outcome.status === "rejected", "it was done");
        const { cause } = outcome.reason;
        assert.ok(
          outcome.reason instanceof ShutdownError || cause instanceof ShutdownError,
          `${outcome.reason} because of ${cause}`,
        );
      }
    }
  });
}

test("force ends a plain shutdown that is under way, and synchronous waits with it", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    const jobs = await create(threads);
    const cells = shared(Int32Array, 1);
    const job = jobs.spawn(work.loop, cells).with({ name: "endless" });
    const after = jobs.spawn(work.add, 1, 2).after(job).schedule();
    await until(() => Atomics.load(cells, 0) === 1);
    const plain = jobs.shutdown();
    const forced = jobs.shutdown({ force: true, grace: 0 });
    const waits: (() => unknown)[] = [() => job.wait(), () => after.wait()];
    for (const wait of waits) assert.throws(wait, ShutdownError);
    assert.deepEqual(await settled(Promise.all([plain, forced]), "both"), [
      { neverScheduled: {} },
      { neverScheduled: {} },
    ]);
    await assert.rejects(async () => await after, ShutdownError);
  }
});

test("a job that ends within the grace is done; a plain shutdown waits for long ones", HANGS, async () => {
  const jobs = await create(1);
  const cells = shared(Int32Array, 1);
  const job = jobs.run(work.waitForWord, cells);
  const queued = jobs.run(work.add, 1, 2);
  const outcome = queued.then(
    () => "done",
    (error: unknown) => error,
  );
  await until(() => Atomics.load(cells, 0) === 1);
  const stopped = jobs.shutdown({ force: true, grace: 2 ** 30 });
  Atomics.store(cells, 0, 2);
  assert.equal(await job, "done");
  await settled(stopped, "the shutdown");
  assert.ok((await outcome) instanceof ShutdownError);

  const patient = await create(1);
  const again = shared(Int32Array, 1);
  const long = patient.run(work.waitForWord, again);
  await until(() => Atomics.load(again, 0) === 1);
  const end = patient.shutdown();
  setTimeout(() => Atomics.store(again, 0, 2), 300);
  await settled(end, "the plain shutdown");
  assert.equal(await long, "done");
});

const HELD_UP = { ...HANGS, skip: DENO && "Deno says at once that a thread has ended" };

test("a thread that native code holds up is left: shutdown says which, also after a kill", HELD_UP, async () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-"));
  try {
    for (const kill of [false, true]) {
      const jobs = await create(2);
      const begun = join(folder, `begin-${kill}`);
      const file = join(folder, `end ${kill}`);
      const stop = new AbortController();
      const job: Job<void> = jobs.spawn(work.runProgram, begun, file);
      if (kill) job.with({ signal: stop.signal, kill: true });
      const outcome = job.then(undefined, (error: unknown) => error);
      await until(() => existsSync(begun));
      stop.abort();
      if (kill) await outcome;
      const { threadsLeft } = await settled(jobs.shutdown(kill ? {} : { force: true, grace: 0 }), "the shutdown");
      assert.equal(threadsLeft?.length, 1);
      assert.ok([1, 2].includes(threadsLeft[0]));
      assert.equal(((await outcome) as Error).name, kill ? "JobCancelledError" : "ShutdownError");
      // Else this process could not end either.
      writeFileSync(file, "");
      await until(() => !existsSync(file));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("options of shutdown are checked", HANGS, async () => {
  const jobs = await create(1);
  for (const grace of [-1, 0.5, "1", null, 2 ** 31]) {
    await assert.rejects(jobs.shutdown({ force: true, grace: grace as number }), /^(Type|Range)Error: grace must be a/);
  }
  await assert.rejects(jobs.shutdown({ grace: 1 }), /^TypeError: grace is for shutdown\(\{ force: true \}\)/);
  assert.equal(await jobs.run(work.add, 1, 2), 3);
  await jobs.shutdown({ force: true });
});

/** @returns the lines that a program prints, which must end by itself and well */
function linesOf(program: string): string[] {
  const run = spawnSync(process.execPath, [PROGRAM, program], { encoding: "utf8", timeout: PATIENCE });
  assert.equal(run.stderr, "");
  assert.equal(run.signal, null, "it did not end");
  assert.equal(run.status, 0);
  return run.stdout.split("\n").slice(0, -1);
}

test("what jobs and exit handlers print just before the end is there", HANGS, () => {
  assert.deepEqual(linesOf("shutDown").sort(), ["0", "0, on exit", "1", "1, on exit"]);
  assert.deepEqual(linesOf("forced").sort(), ["0", "0, on exit"]);
});

test("the process ends by itself, whatever is open on workers, without a shutdown", HANGS, () => {
  assert.deepEqual(linesOf("dropped"), ["0"]);
});
