/** No job runs in the asynchronous context of another, and each goes on in its own. */
import assert from "node:assert/strict";
import test from "node:test";
import { JobSystem, shared } from "heddle";
import * as work from "./support/context-work.js";
import { HANGS, settled, until } from "./support/hangs.js";

const { storage } = work;
const MODULE = new URL("./support/context-work.js", import.meta.url);

async function withWorkers(threads: number, body: (jobs: JobSystem) => Promise<void>): Promise<void> {
  const jobs = await JobSystem.create({ threads, modules: [MODULE] });
  try {
    await body(jobs);
  } finally {
    await jobs.shutdown();
  }
}

// First: by then, nothing on this thread has entered a context.
test(
  "what a job enters that the main thread runs while it waits is not seen by the program, nor the other way",
  HANGS,
  async () => {
    await withWorkers(2, async (jobs) => {
      const cells = shared(Int32Array, 2);
      const held = jobs.group();
      for (let k = 0; k < 2; k++) held.run(work.hold, cells);
      await until(() => Atomics.load(cells, 0) === 2);
      assert.deepEqual(jobs.run(work.enterHere, "a").wait(), [true, undefined]);
      assert.equal(storage.getStore(), undefined);
      storage.run("program", () => {
        assert.deepEqual(jobs.run(work.enterHere, "b").wait(), [true, undefined]);
        assert.equal(storage.getStore(), "program");
        const own = jobs.spawn(work.enterHere, "c").with({ on: "main" });
        assert.deepEqual(own.wait(), [true, "program"]);
        assert.equal(storage.getStore(), "program");
      });
      assert.equal(storage.getStore(), undefined);
      Atomics.store(cells, 1, 1);
      Atomics.notify(cells, 1);
      await held;
    });
  },
);

test("jobs of the main thread run each in the context in which they were given to it", HANGS, async () => {
  await withWorkers(1, async (jobs) => {
    const names = ["a", "b", "c", "d"];
    const all = names.map((name) => storage.run(name, () => jobs.spawn(work.enter, `${name}'s`).with({ on: "main" })));
    const outside = jobs.spawn(work.see).with({ on: "main" });
    const asynchronous = storage.run("e", () => jobs.spawn(work.keep, "f", "run").with({ on: "main" }));
    const ran = storage.run("awaiting", async () => [await Promise.all(all), storage.getStore()]);
    assert.deepEqual(await ran, [names, "awaiting"]);
    assert.equal(await outside, undefined);
    assert.deepEqual(await asynchronous, ["e", "f", "f", "f", "f", "f", "f"]);
    assert.equal(storage.getStore(), undefined);
  });
});

test("what a job enters is seen by no later job of its worker", HANGS, async () => {
  await withWorkers(1, async (jobs) => {
    assert.equal(await jobs.run(work.see), undefined);
    // In one go, and in turns of their own.
    for (let round = 0; round < 2; round++) {
      const all = Array.from({ length: 20 }, (_, k) => jobs.run(k % 2 === 0 ? work.enter : work.see, `${k}`));
      assert.deepEqual(await Promise.all(all), new Array(20).fill(undefined));
      await assert.rejects(Promise.resolve(jobs.run(work.enterAndFail, "failed")));
      assert.equal(await jobs.run(work.see), undefined);
      assert.equal(await jobs.run(work.lazy, "lazy"), "lazy");
      assert.equal(await jobs.run(work.see), undefined);
    }
  });
});

test("a job that waits neither sees what a job inside it enters nor is seen by it", HANGS, async () => {
  for (const first of [undefined, "first"]) {
    await withWorkers(1, async (jobs) => {
      assert.deepEqual(await jobs.run(work.enterInside, first), [undefined, first, undefined, "last"]);
      assert.deepEqual(await jobs.run(work.seeInside), [undefined, "outside"]);
      assert.equal(await jobs.run(work.see), undefined);
    });
  }
});

test("asynchronous jobs on one worker go on each in its own context", HANGS, async () => {
  for (const by of ["enterWith", "run"] as const) {
    await withWorkers(1, async (jobs) => {
      const names = ["a", "b", "c", "d"];
      const seen = await Promise.all(names.map((name) => jobs.run(work.keep, name, by)));
      assert.deepEqual(
        seen,
        names.map((name) => [undefined, ...new Array(6).fill(name)]),
      );
      assert.equal(await jobs.run(work.see), undefined);
    });
  }
});

test("a job hears in its own context that it is to stop", HANGS, async () => {
  await withWorkers(1, async (jobs) => {
    const cells = shared(Int32Array, 2);
    const controller = new AbortController();
    const job = jobs.spawn(work.stopIn, "stopped", cells).with({ signal: controller.signal });
    const ended = job.then(
      () => {},
      () => {},
    );
    await until(() => Atomics.load(cells, 0) === 1);
    storage.run("aborting", () => controller.abort());
    await settled(ended, "the end of the job");
    assert.equal(cells[1], 1);
  });
});

test("a listener for errors runs in no job's context", HANGS, async () => {
  await withWorkers(1, async (jobs) => {
    const seen: (string | undefined)[] = [];
    jobs.on("error", () => seen.push(storage.getStore()));
    storage.run("a", () => {
      jobs.run(work.fail);
      jobs.spawn(work.fail).with({ on: "main" }).schedule();
    });
    await until(() => seen.length === 2);
    assert.deepEqual(seen, [undefined, undefined]);
  });
});
