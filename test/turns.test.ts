/** The main thread's event loop goes round while jobs are awaited. */
import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { JobFailedError, shared, WorkerCrashedError } from "heddle";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

/** So often nothing is awaited before a timer fires, unless the event loop stands still. */
const WITHOUT_END = 5_000_000;

/** Awaits again and again until a timer has fired. */
async function untilTimer(again: () => Promise<unknown>): Promise<void> {
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 1);
  for (let k = 0; !fired; k++) {
    assert.ok(k < WITHOUT_END, "the event loop does not go round");
    await again();
  }
}

test("a timer fires while a job that has settled is awaited without end", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const done = jobs.run(work.add, 1, 2);
    await untilTimer(async () => assert.equal(await done, 3));
    const failed = jobs.run(work.boom, "meant to fail");
    await untilTimer(() => assert.rejects(async () => await failed, JobFailedError));
  });
});

test("timers fire while jobs are run and awaited without end, by one or by many", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const run = async () => assert.equal(await jobs.run(work.add, 1, 2), 3);
    await untilTimer(run);
    await Promise.all(Array.from({ length: 2000 }, () => untilTimer(run)));
  });
});

test("outcomes that come all at once arrive in several turns, each once", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    const gate = jobs.spawn(work.holdFor, cells, 0);
    const settled = shared(Int32Array, 1);
    const all = Array.from({ length: 50_000 }, (_, k) => {
      const job = gate.then(jobs.spawn(work.add, k, 1));
      return job.then((sum) => {
        settled[0]++;
        return sum;
      });
    });
    await turn();
    assert.equal(settled[0], 0);
    Atomics.store(cells, 1, 1);
    // Also while others are still to be taken over, what a synchronous wait asks for is there.
    assert.equal(jobs.run(work.add, 5, 6).wait(), 11);
    assert.deepEqual(
      await Promise.all(all),
      all.map((_, k) => k + 1),
    );
    assert.equal(settled[0], all.length);
  });
});

test("a worker that dies while outcomes are still to be taken over takes none with it", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    for (let round = 0; round < bound(2, 5); round++) {
      const gate = jobs.spawn(work.nothing);
      const all = Array.from({ length: 20_000 }, (_, k) =>
        gate.then(k % 5000 === 4999 ? jobs.spawn(work.exit, 1) : jobs.spawn(work.add, k, 1)),
      );
      const outcomes = await Promise.allSettled(all);
      for (const [k, outcome] of outcomes.entries()) {
        if (outcome.status === "fulfilled") assert.equal(outcome.value, k + 1);
        else assert.ok(outcome.reason instanceof WorkerCrashedError, String(outcome.reason));
      }
    }
  });
});
