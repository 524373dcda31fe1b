/** Jobs that are ended with their workers, by their limit or their signal; what others hear of it; what signals say. */
import assert from "node:assert/strict";
import test from "node:test";
import { Channel, type Job, JobCancelledError, JobSystem, JobTimeoutError, shared, WorkerCrashedError } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import * as work from "./support/killing-work.js";
import { bound } from "./support/long.js";
import { BUN, DENO } from "./support/runtime.js";

/** What the runtime says itself of an abort. */
const ABORTED = BUN
  ? "The operation was aborted."
  : DENO
    ? "The signal has been aborted"
    : "This operation was aborted";

const WORK = new URL("./support/killing-work.js", import.meta.url);
const cell = () => shared(Int32Array, 1);
const begun = (cells: Int32Array) => until(() => Atomics.load(cells, 0) > 0);

async function create(threads: number) {
  const jobs = await JobSystem.create({ threads, modules: [WORK] });
  const errors: Error[] = [];
  jobs.on("error", (error) => errors.push(error));
  return { jobs, errors };
}

const errorOf = (job: Job<unknown>): Promise<unknown> => job.then(undefined, (error: unknown) => error);

test(
  "kill with a signal: a job that runs is ended with its worker; one that has not started just does not",
  HANGS,
  async () => {
    const reason = new RangeError("enough");
    for (const threads of bound([2], [1, 2])) {
      const { jobs, errors } = await create(threads);
      for (const fn of [work.loop, work.loopLater, work.never]) {
        const stop = new AbortController();
        const cells = cell();
        const killed = errorOf(jobs.spawn(fn, cells).with({ signal: stop.signal, kill: true, name: "it", retries: 3 }));
        await begun(cells);
        stop.abort(reason);
        const error = await killed;
        assert.ok(error instanceof JobCancelledError, String(error));
        assert.deepEqual([error.job, error.started, error.killed, error.cause], ["it", true, true, reason]);
        assert.match(error.message, /^job "it" was cancelled while it ran, and its worker thread ended/);
        assert.equal(await jobs.run(work.add, 1, 2), 3);
      }
      const early = new AbortController();
      const never = jobs.spawn(work.loop, cell()).with({ kill: true, signal: early.signal });
      const outcome = errorOf(never);
      early.abort();
      const error = await outcome;
      assert.ok(error instanceof JobCancelledError && !error.killed);
      // Without kill it goes on, and what it gives counts.
      const stop = new AbortController();
      const cells = cell();
      const obedient = jobs.spawn(work.obedient, cells).with({ signal: stop.signal });
      const gives = obedient.then((value) => value);
      await begun(cells);
      stop.abort();
      assert.equal(await gives, "stopped");
      await jobs.shutdown();
      assert.deepEqual(errors, []);
    }
  },
);

test("kill by the signal of a job on a worker", HANGS, async () => {
  const { jobs, errors } = await create(2);
  for (let k = 0; k < 3; k++) {
    assert.deepEqual(await jobs.run(work.endChild, new Channel({ capacity: 1 })), [
      "JobCancelledError",
      true,
      true,
      "of the parent",
      3,
    ]);
  }
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});

test("what ends with a killed job hears which job it was, and whether its limit or its signal", HANGS, async () => {
  const { jobs, errors } = await create(1);
  const stop = new AbortController();
  const cases = [
    [
      { timeout: 5, kill: true, name: "slow" },
      'job "slow" ran longer than its timeout of 5 ms (kill)',
      JobTimeoutError,
    ],
    [
      { signal: stop.signal, kill: true, name: "aborted" },
      'the signal of job "aborted" was aborted (kill)',
      JobCancelledError,
    ],
  ] as const;
  for (const [options, reason, Expected] of cases) {
    const cells = cell();
    const neighbour = errorOf(jobs.run(work.never, cells));
    await begun(cells);
    const loops = cell();
    const killed = errorOf(jobs.spawn(work.loop, loops).with(options));
    // Its time may be over as soon as it starts.
    if ("signal" in options) {
      await begun(loops);
      stop.abort();
    }
    assert.ok((await killed) instanceof Expected);
    const error = await neighbour;
    assert.ok(error instanceof WorkerCrashedError, String(error));
    assert.equal(error.message, `job "never" failed: its worker thread was ended because ${reason}`);
    assert.deepEqual([error.reason, error.killed], [reason, true]);
  }
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});

test("kill goes with a timeout or a signal, and not with the main thread", HANGS, async () => {
  const { jobs } = await create(2);
  const { signal } = new AbortController();
  const spawn = () => jobs.spawn(work.add, 1, 2);
  assert.throws(() => spawn().with({ kill: true }), /^TypeError: kill needs a timeout or a signal: give job "add" one/);
  const wrong = [
    () => spawn().with({ kill: true, signal, on: "main" }),
    () => spawn().with({ kill: true, signal }).with({ on: "main" }),
    () => spawn().with({ on: "main" }).with({ kill: true, signal }),
  ];
  for (const make of wrong) assert.throws(make, /^TypeError: kill and on: "main" exclude each other/);
  assert.equal(await spawn().with({ signal }).with({ kill: true }), 3);
  assert.equal(await spawn().with({ timeout: 1e6 }).with({ kill: true }), 3);
  // The main thread, which waits, leaves it to the worker.
  const cells = cell();
  const stop = AbortSignal.timeout(20);
  const job = jobs.spawn(work.loop, cells).with({ signal: stop, kill: true });
  const outcome = errorOf(job);
  assert.equal(jobs.run(work.add, 1, 2).wait(), 3);
  assert.ok((await outcome) instanceof JobCancelledError);
  await jobs.shutdown();
});

test("signal().reason in a job is what the other thread's signal says", HANGS, async () => {
  const { jobs } = await create(2);
  const reasons = [
    [new RangeError("too far"), ["RangeError", "RangeError", "too far"]],
    ["words", ["string", "words", undefined]],
    [{ code: 7 }, ["object", { code: 7 }, undefined]],
    [undefined, ["DOMException", "AbortError", ABORTED]],
    [new DOMException("late", "TimeoutError"), ["DOMException", "TimeoutError", "late"]],
    [() => {}, ["string", "() => {}", undefined]],
  ] as const;
  type Fn = (cells: Int32Array) => unknown[] | Promise<unknown[]>;
  for (const fn of [work.reasonAtOnce, work.reasonLater] as Fn[]) {
    for (const [reason, expected] of reasons) {
      const stop = new AbortController();
      const cells = cell();
      const job = jobs.spawn(fn, cells).with({ signal: stop.signal });
      const gives = job.then((value) => value);
      await begun(cells);
      stop.abort(reason);
      const told = await gives;
      if (typeof reason === "function") assert.equal(told[0], "string");
      else assert.deepEqual(told, expected);
    }
  }
  await jobs.shutdown();
});
