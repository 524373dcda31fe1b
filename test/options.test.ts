import assert from "node:assert/strict";
import test from "node:test";
import {
  ArenaFullError,
  DependencyCycleError,
  DependencyFailedError,
  type Job,
  JobAlreadyScheduledError,
  JobCancelledError,
  JobFailedError,
  type JobSystem,
  type JobSystemOptions,
  JobTimeoutError,
  ShutdownError,
  shared,
} from "heddle";
import { isCancelled, signal } from "heddle/job";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/options-work.js";
import { withSystem } from "./support/systems.js";

const WORK = new URL("./support/options-work.js", import.meta.url);

const withWork = (options: Omit<JobSystemOptions, "modules">, body: (jobs: JobSystem) => Promise<void> | void) =>
  withSystem(options, body, WORK);
const newCells = () => shared(Int32Array, 8);
const started = (cells: Int32Array, jobs = 1) => until(() => Atomics.load(cells, 0) === jobs);
const letEnd = (cells: Int32Array) => {
  Atomics.store(cells, 1, 1);
  Atomics.notify(cells, 1);
};

async function errorOf(job: PromiseLike<unknown>): Promise<unknown> {
  return job.then(
    () => assert.fail("did not fail"),
    (error: unknown) => error,
  );
}

/** Makes as many jobs as may live at once: none that was cancelled or timed out holds a slot any more. */
async function allSlotsAreFree(jobs: JobSystem, maxJobs: number): Promise<void> {
  const held: Job<void>[] = [];
  // Some are only given back when an executor takes the last of them from its queue.
  await until(() => {
    try {
      while (held.length < maxJobs) held.push(jobs.spawn(work.nothing));
    } catch (error) {
      assert.ok(error instanceof ArenaFullError);
    }
    return held.length === maxJobs;
  });
  await Promise.all(held);
}

for (const threads of bound([2], [1, 2, 4])) {
  test(`a scheduled job is cancelled at once while what it depends on runs, on ${threads} threads`, HANGS, async () => {
    await withWork({ threads, maxJobs: 64 }, async (jobs) => {
      for (let round = 0; round < 40; round++) {
        const cells = newCells();
        const controller = new AbortController();
        const first = jobs.spawn(work.hold, cells);
        const job = jobs.spawn(work.count, cells, 3).after(first).with({ signal: controller.signal });
        if (round % 2 === 1) job.after(jobs.spawn(work.nothing));
        const last = jobs.spawn(work.count, cells, 3).after(job);
        last.schedule();
        await started(cells);
        assert.equal(job.settled, false);
        const reason = new Error("changed my mind");
        controller.abort(reason);
        assert.equal(job.settled, true);
        const error = await errorOf(job);
        assert.ok(error instanceof JobCancelledError && error instanceof JobFailedError);
        assert.equal(error.cause, reason);
        assert.equal(error.job, "count");
        assert.equal(error.started, false);
        assert.match(error.message, /job "count" was cancelled before it started/);
        assert.equal(Atomics.load(cells, 2), 0, "what it depends on still runs");
        letEnd(cells);
        const after = await errorOf(last);
        assert.ok(after instanceof DependencyFailedError && after.cause instanceof JobCancelledError);
        assert.equal((after.cause.cause as Error).message, "changed my mind");
        // It can still be linked to: that fails alike.
        const late = await errorOf(jobs.spawn(work.nothing).after(job));
        assert.ok(late instanceof DependencyFailedError && late.cause instanceof JobCancelledError);
        assert.equal(await first, "held");
        assert.equal(cells[3], 0);
      }
      await allSlotsAreFree(jobs, 64);
    });
  });
}

test("a job that is cancelled before it is scheduled fails when it is scheduled or taken", HANGS, async () => {
  for (const threads of bound([3], [1, 3])) {
    await withWork({ threads, maxJobs: 64 }, async (jobs) => {
      for (let round = 0; round < 20; round++) {
        const cells = newCells();
        const controller = new AbortController();
        const reason = { why: round };
        const make = () => {
          const job = jobs.spawn(work.count, cells, 3).after(jobs.spawn(work.count, cells, 4));
          return job.with({ signal: controller.signal });
        };
        const early = [make(), make(), make(), make()];
        controller.abort(reason);
        assert.ok(early.every((job) => !job.settled));
        const all = [...early, make()];
        const isCancellation = (error: unknown) => error instanceof JobCancelledError && error.cause === reason;
        assert.throws(() => all[0].wait(), isCancellation);
        await assert.rejects(async () => await all[1], isCancellation);
        all[2].schedule();
        await assert.rejects(async () => await all[2], isCancellation);
        const after = await errorOf(jobs.spawn(work.count, cells, 3).after(all[3]));
        assert.ok(after instanceof DependencyFailedError && after.cause instanceof JobCancelledError);
        await assert.rejects(async () => await all[3], isCancellation);
        await assert.rejects(async () => await all[4], isCancellation);
        // What they depend on was scheduled with them, and runs.
        await until(() => Atomics.load(cells, 4) === all.length);
        assert.equal(cells[3], 0);
      }
      await allSlotsAreFree(jobs, 64);
    });
  }
});

test("all jobs of a graph that have the same signal are cancelled by it, each by itself", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    const cells = newCells();
    const controller = new AbortController();
    const options = { signal: controller.signal };
    const first = jobs.spawn(work.hold, cells);
    const rows = Array.from({ length: 100 }, () => jobs.spawn(work.count, cells, 3).after(first).with(options));
    const columns = Array.from({ length: 100 }, () =>
      jobs
        .spawn(work.count, cells, 3)
        .after(...rows)
        .with(options),
    );
    for (const job of columns) job.schedule();
    await started(cells);
    controller.abort();
    for (const job of [...rows, ...columns]) {
      assert.ok(job.settled);
      assert.ok((await errorOf(job)) instanceof JobCancelledError);
    }
    letEnd(cells);
    await first;
    assert.equal(cells[3], 0);
  });
});

test("a running job is asked to stop: its result counts, and what it throws is a cancellation", HANGS, async () => {
  for (const threads of bound([2], [1, 2])) {
    await withWork({ threads }, async (jobs) => {
      const controller = new AbortController();
      const cells = newCells();
      const job = jobs.spawn(work.untilCancelled, cells).with({ signal: controller.signal }).schedule();
      await started(cells);
      controller.abort();
      assert.equal(await job, "stopped");
      const throwing = new AbortController();
      const thrower = jobs.spawn(work.throwWhenCancelled, cells).with({ signal: throwing.signal }).schedule();
      await started(cells, 2);
      throwing.abort("reason");
      const error = await errorOf(thrower);
      assert.ok(error instanceof JobCancelledError);
      assert.equal(error.started, true);
      assert.ok(error.cause instanceof RangeError && error.cause.message === "stopped");
      assert.match(error.message, /job "throwWhenCancelled" was cancelled, and threw: stopped/);
    });
  }
});

test("the signal of a suspended job is aborted in its worker's event loop", HANGS, async () => {
  for (const threads of bound([3], [1, 3])) {
    await withWork({ threads }, async (jobs) => {
      for (let round = 0; round < 20; round++) {
        const cells = newCells();
        const controller = new AbortController();
        const job = jobs.spawn(work.untilAborted, cells).with({ signal: controller.signal }).schedule();
        const other = jobs.spawn(work.throwWhenAborted, cells).with({ signal: controller.signal }).schedule();
        await started(cells, 2);
        // Sometimes the worker sleeps by then, sometimes not.
        if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, round % 5));
        controller.abort();
        assert.equal(await job, "AbortError");
        const error = await errorOf(other);
        assert.ok(error instanceof JobCancelledError && error.started);
        assert.equal((error.cause as Error).name, "AbortError");
      }
    });
  }
});

test("isCancelled and signal belong to the synchronous part of a job", HANGS, async () => {
  const outside = /works only in the synchronous part of a job: call signal\(\) before the job's first await/;
  assert.throws(() => isCancelled(), outside);
  assert.throws(() => signal(), outside);
  await withWork({ threads: 2 }, async (jobs) => {
    assert.equal(await jobs.run(work.askWithoutOptions), false);
    assert.equal(jobs.run(work.askWithoutOptions).wait(), false);
    assert.equal(await jobs.run(work.askAfterWait), false);
    for (const what of ["isCancelled", "signal"] as const) {
      await assert.rejects(async () => await jobs.run(work.askLate, what), outside);
      await assert.rejects(async () => await jobs.spawn(work.askLate, what).with({ timeout: 10_000 }), outside);
    }
    assert.throws(() => isCancelled(), outside);
  });
});

for (const threads of bound([3], [1, 3])) {
  test(
    `a job whose time is over fails at once, although its function still runs, on ${threads} threads`,
    HANGS,
    async () => {
      await withWork({ threads, maxJobs: 16 }, async (jobs) => {
        for (const fn of [work.hold, work.holdAndThrow, work.holdLater]) {
          for (let round = 0; round < 3; round++) {
            const cells = newCells();
            const job = jobs.spawn(fn as typeof work.hold, cells).with({ timeout: 5.5, kill: false });
            const last = jobs.spawn(work.count, cells, 3).after(job);
            const after = errorOf(last);
            const error = await errorOf(job);
            assert.ok(error instanceof JobTimeoutError && error instanceof JobFailedError);
            assert.equal(error.timeout, 6);
            assert.match(error.message, /has run for longer than its timeout of 6 ms/);
            assert.equal(Atomics.load(cells, 2), 0, "it still runs");
            letEnd(cells);
            const failed = await after;
            assert.ok(failed instanceof DependencyFailedError && failed.cause instanceof JobTimeoutError);
            assert.equal(failed.cause.timeout, 6);
            await until(() => Atomics.load(cells, 2) === 1);
            assert.equal(cells[3], 0);
          }
        }
        assert.equal(await jobs.spawn(work.add, 1, 2).with({ timeout: 2 ** 30 }), 3);
        await allSlotsAreFree(jobs, 16);
      });
    },
  );
}

test("a job that is in time is not timed out, and the next job in its slot is not either", HANGS, async () => {
  await withWork({ threads: 2, maxJobs: 64 }, async (jobs) => {
    for (let round = 0; round < 50; round++) {
      const many = Array.from({ length: 40 }, (_, k) => jobs.spawn(work.add, k, round).with({ timeout: 20_000 }));
      assert.deepEqual(
        await Promise.all(many),
        many.map((_, k) => k + round),
      );
    }
    const plain = Array.from({ length: 40 }, (_, k) => jobs.run(work.add, k, 1));
    assert.equal((await Promise.all(plain))[39], 40);
  });
});

test("a synchronous wait on the main thread ends when the job's time is over", HANGS, async () => {
  for (const threads of bound([3], [1, 3])) {
    await withWork({ threads }, (jobs) => {
      const cells = newCells();
      const job = jobs.spawn(work.hold, cells).with({ timeout: 10 });
      const next = jobs.spawn(work.nothing).after(job);
      // With one worker, which is held, nobody could take it.
      if (threads > 1) assert.throws(() => next.wait(), DependencyFailedError);
      assert.throws(() => job.wait(), JobTimeoutError);
      letEnd(cells);
      assert.throws(() => next.wait(), DependencyFailedError);
      assert.equal(jobs.run(work.add, 1, 2).wait(), 3);
    });
  }
});

test("a job has none of the options of the one that had its slot before", HANGS, async () => {
  await withWork({ threads: 1 }, async (jobs) => {
    await jobs.spawn(work.add, 1, 2).with({ timeout: 60_000, kill: true });
    for (let k = 0; k < 100; k++) {
      assert.equal(await jobs.spawn(work.add, k, 2).with({ on: "main" }), k + 2);
      assert.throws(() => jobs.spawn(work.add, k, 2).with({ kill: true }), /kill needs a timeout/);
    }
  });
});

test("the main thread runs no job with a timeout", HANGS, async () => {
  await withWork({ threads: 2 }, (jobs) => {
    for (let round = 0; round < 50; round++) {
      const many = Array.from({ length: 20 }, () => jobs.spawn(work.onMainThread).with({ timeout: 30_000 }).schedule());
      for (const job of many) assert.equal(job.wait(), false);
    }
  });
});

test("jobs that a job makes are cancelled and timed out alike", HANGS, async () => {
  for (const threads of bound([2], [1, 2, 4])) {
    await withWork({ threads }, async (jobs) => {
      assert.equal(await jobs.run(work.timeOutInside, newCells()), 20);
      assert.equal(jobs.run(work.timeOutInside, newCells()).wait(), 20);
      assert.equal(await jobs.run(work.timeOutInsideLater, newCells()), 20);
      assert.equal(await jobs.run(work.cancelInside, newCells()), "Error, inside");
    });
  }
});

test("a time limit is watched also where the main thread has only made groups", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    const cells = newCells();
    const group = jobs.group();
    group.run(work.timeOutInside, cells);
    await until(() => Atomics.load(cells, 2) === 1);
    await group;
  });
});

test("the signal of a job whose time is over is aborted, with a TimeoutError", HANGS, async () => {
  await withWork({ threads: 1 }, async (jobs) => {
    const cells = newCells();
    assert.ok((await errorOf(jobs.spawn(work.untilAborted, cells).with({ timeout: 5 }))) instanceof JobTimeoutError);
    await until(() => Atomics.load(cells, 2) === 1);
    assert.equal(cells[3], 1);
    assert.ok((await errorOf(jobs.spawn(work.untilCancelled, cells).with({ timeout: 5 }))) instanceof JobTimeoutError);
    await until(() => Atomics.load(cells, 2) === 2);
  });
});

test("a name stands for the function's in the handle, in errors and in reports", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    for (const name of ["render page 7", "Zeichne 七", "x".repeat(1000)]) {
      const job = jobs.spawn(work.boom).with({ name: "first" }).with({ name });
      assert.equal(job.name, name);
      const after = jobs.spawn(work.nothing).after(job).with({ name: "after it" });
      const error = await errorOf(after);
      assert.ok(error instanceof DependencyFailedError && error.cause instanceof JobFailedError);
      assert.equal(error.job, "after it");
      assert.equal(error.cause.job, name);
      assert.equal(error.cause.message, `job "${name}" failed: boom`);
      assert.equal(job.name, name);
    }
    assert.equal(jobs.spawn(work.boom).name, "boom");
    const cells = newCells();
    const held = jobs.spawn(work.hold, cells).with({ name: "sent" });
    assert.equal(await jobs.run(work.nameOf, held), "sent");
    letEnd(cells);
    const a = jobs.spawn(work.nothing).with({ name: "a" });
    const b = jobs.spawn(work.nothing).after(a).with({ name: "b" });
    b.then(a);
    await assert.rejects(
      async () => await a,
      (error: unknown) => error instanceof DependencyCycleError && [...error.jobs].sort().join() === "a,b",
    );
    assert.deepEqual((await jobs.shutdown()).neverScheduled, { a: 1, b: 1, sent: 1, boom: 1 });
  });
});

test("options are for jobs of this thread that are not yet scheduled, nor known to others", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    const done = jobs.run(work.add, 1, 2);
    assert.throws(() => done.with({ name: "x" }), /already scheduled .* prerequisites or options; .* spawn, not run/);
    await done;
    assert.throws(() => done.with({ name: "x" }), JobAlreadyScheduledError);
    const cells = newCells();
    const held = jobs.spawn(work.hold, cells).with({ name: "held", timeout: 60_000 });
    const other = jobs.run(work.setOptionsOf, held);
    assert.throws(() => held.with({ name: "x" }), /was given to another thread/);
    await assert.rejects(
      async () => await other,
      /job "held" was spawned on another thread; give it its options there/,
    );
    letEnd(cells);
    assert.equal(await held, "held");
    const after = jobs.spawn(work.nothing);
    await jobs.shutdown();
    assert.throws(() => after.with({ name: "x" }), ShutdownError);
  });
});

test("another thread that waits for a job hears that it was cancelled or timed out", HANGS, async () => {
  await withWork({ threads: 3 }, async (jobs) => {
    for (let round = 0; round < 20; round++) {
      const cells = newCells();
      const controller = new AbortController();
      const first = jobs.spawn(work.hold, cells);
      const job = jobs.spawn(work.nothing).after(first).with({ signal: controller.signal, name: "theirs" });
      const outcome = jobs.run(work.outcomeOf, job);
      await started(cells);
      if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 1));
      controller.abort();
      // It may be the very thread that waits which runs the first job.
      letEnd(cells);
      assert.match(await outcome, /^JobCancelledError: theirs$/);
      assert.ok((await errorOf(job)) instanceof JobCancelledError);
      const long = jobs.spawn(work.untilCancelled, cells).with({ timeout: 3, name: "long" });
      assert.match(await jobs.run(work.outcomeOf, long), /^JobTimeoutError: long$/);
      assert.ok((await errorOf(long)) instanceof JobTimeoutError);
    }
  });
});

test("later options add to earlier ones, or take their place", HANGS, async () => {
  await withWork({ threads: 1 }, async (jobs) => {
    const first = new AbortController();
    const second = new AbortController();
    const cells = newCells();
    const job = jobs.spawn(work.hold, cells).with({ signal: first.signal, timeout: 1 });
    job.with({ signal: second.signal, timeout: 60_000 }).with({ priority: "high", retries: 3, kill: true });
    job.with({ priority: "normal", timeout: undefined });
    const after = jobs.spawn(work.count, cells, 3).after(job).with({ signal: first.signal });
    after.with({ signal: second.signal, priority: "low" });
    after.schedule();
    await started(cells);
    first.abort();
    await new Promise((resolve) => setTimeout(resolve, 30));
    letEnd(cells);
    await after;
    assert.equal(await job, "held");
    assert.equal(cells[3], 1);
  });
});

/** A signal of somebody else's make, which counts who listens. */
class OtherSignal {
  aborted = false;
  reason: unknown;
  listeners = new Set<() => void>();
  added = 0;
  addEventListener(_: string, listener: () => void): void {
    this.listeners.add(listener);
    this.added++;
  }
  removeEventListener(_: string, listener: () => void): void {
    this.listeners.delete(listener);
  }
}

test("a signal is listened to once, until all its jobs have settled", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    const other = new OtherSignal();
    const many = Array.from({ length: 50 }, () => jobs.spawn(work.nothing).with({ signal: other as never }));
    assert.equal(other.listeners.size, 1);
    await Promise.all(many);
    assert.equal(other.listeners.size, 0);
    assert.equal(other.added, 1);
    const job = jobs.spawn(work.nothing).with({ signal: other as never });
    other.aborted = true;
    other.reason = "theirs";
    for (const listener of other.listeners) listener();
    assert.equal(((await errorOf(job)) as Error).cause, "theirs");
    assert.equal(other.listeners.size, 0);
    const left = new OtherSignal();
    jobs.spawn(work.nothing).with({ signal: left as never });
    await jobs.shutdown();
    assert.equal(left.listeners.size, 0);
  });
});

test("a cancellation that nobody waits for is not reported, a timeout is", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    const reported: Error[] = [];
    jobs.on("error", (error) => reported.push(error));
    const cells = newCells();
    const controller = new AbortController();
    const options = { signal: controller.signal };
    jobs.spawn(work.throwWhenCancelled, cells).with(options).schedule();
    await started(cells);
    const never = jobs.spawn(work.nothing).after(jobs.spawn(work.hold, cells)).with(options);
    jobs.spawn(work.nothing).after(never).schedule();
    await started(cells, 2);
    controller.abort();
    jobs.spawn(work.nothing).with(options).schedule();
    letEnd(cells);
    const late = newCells();
    jobs.spawn(work.hold, late).with({ timeout: 2, name: "late" }).schedule();
    await until(() => reported.length > 0);
    letEnd(late);
    await jobs.shutdown();
    assert.deepEqual(
      reported.map(({ name }) => name),
      ["JobTimeoutError"],
    );
  });
});

test("a forced shutdown settles jobs with options as well", HANGS, async () => {
  await withWork({ threads: 2 }, async (jobs) => {
    const cells = newCells();
    const controller = new AbortController();
    const held = [0, 1].map(() => jobs.spawn(work.hold, cells).with({ timeout: 60_000 }).schedule());
    const waiting = Array.from({ length: 50 }, (_, k) => {
      const job = jobs.spawn(work.count, cells, 3).after(held[k % 2]);
      return job.with({ timeout: 50_000, ...(k % 3 === 0 && { signal: controller.signal }) }).schedule();
    });
    const outcomes = Promise.allSettled(waiting);
    await started(cells, 2);
    controller.abort();
    const stopped = jobs.shutdown({ force: true });
    letEnd(cells);
    await stopped;
    (await outcomes).forEach((outcome, k) => {
      const expected = k % 3 === 0 ? JobCancelledError : ShutdownError;
      assert.ok(
        outcome.status === "rejected" && outcome.reason instanceof expected,
        `${k}: ${JSON.stringify(outcome)}`,
      );
    });
    assert.equal(cells[3], 0);
  });
});

test("random graphs with jobs that are cancelled and timed out: all settle, and no slot is lost", HANGS, async () => {
  let seed = 7;
  const random = (below: number) => {
    seed = Math.imul(seed, 48271) % 0x7fffffff;
    return Math.abs(seed) % below;
  };
  for (const threads of bound([2], [1, 2, 3])) {
    await withWork({ threads, maxJobs: 256 }, async (jobs) => {
      for (let round = 0; round < bound(15, 60); round++) {
        const controllers = Array.from({ length: 6 }, () => new AbortController());
        const all: Job<void>[] = [];
        for (let k = 0; k < 80; k++) {
          const job = jobs.spawn(work.work, random(20) === 0 ? 3000 : random(60));
          if (random(3) !== 0) job.with({ signal: controllers[random(6)].signal });
          if (random(4) === 0) job.with({ timeout: 1 + random(3) });
          for (let edges = random(4); edges > 0 && k > 0; edges--) job.after(all[random(k)]);
          all.push(job);
        }
        const outcomes = Promise.allSettled(all.map(async (job) => await job));
        for (const controller of controllers) {
          if (random(2) === 0) await new Promise((resolve) => setImmediate(resolve));
          if (random(3) !== 0) controller.abort();
          if (random(8) === 0) jobs.run(work.nothing).wait();
        }
        for (const outcome of await outcomes) {
          if (outcome.status === "rejected")
            assert.ok(outcome.reason instanceof JobFailedError, String(outcome.reason));
        }
      }
      await allSlotsAreFree(jobs, 256);
    });
  }
});
