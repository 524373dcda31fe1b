import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { shared } from "heddle";
import { HANGS, PATIENCE } from "./support/hangs.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

const orderOf = (log: Int32Array) => Array.from(log.subarray(1, 1 + log[0]));

test("the original's usage example, as a program, prints A, C, B on one thread", HANGS, () => {
  const main = fileURLToPath(new URL("../examples/hello/main.js", import.meta.url));
  const run = spawnSync(process.execPath, [main], { encoding: "utf8", timeout: PATIENCE });
  assert.equal(run.stdout, "Job A\nJob C\nJob B\n", run.stderr);
});

test("the usage example keeps its order: A, C, B on one thread; B last on four, 1,000 times", HANGS, async () => {
  for (const threads of [1, 4]) {
    await withSystem({ threads }, async (jobs) => {
      for (let k = 0; k < 1000; k++) {
        const order = shared(Int32Array, 4);
        const a = jobs.spawn(work.log, order, 1);
        const b = jobs.spawn(work.log, order, 2);
        const c = jobs.spawn(work.log, order, 3);
        a.then(b);
        c.then(b);
        await b;
        if (threads === 1) assert.deepEqual(orderOf(order), [1, 3, 2]);
        else assert.equal(orderOf(order)[2], 2);
        assert.equal(order[0], 3);
      }
    });
  }
});

test("threads: 1 runs jobs first-in first-out, also those that jobs schedule", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    for (let k = 0; k < 50; k++) {
      const order = shared(Int32Array, 10);
      jobs.run(work.logAndSpawn, order, 1);
      jobs.run(work.log, order, 2);
      jobs.run(work.logAndSpawn, order, 3);
      jobs.run(work.log, order, 4).wait();
      while (order[0] < 6) await jobs.run(work.nothing);
      assert.deepEqual(orderOf(order), [1, 2, 3, 4, 101, 103]);
    }
  });
});

test("threads: 1 makes continuations ready in the order in which they were linked", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const order = shared(Int32Array, 8);
    const first = jobs.spawn(work.log, order, 0);
    const rest = [1, 2, 3, 4, 5].map((id) => first.then(jobs.spawn(work.log, order, id)));
    for (const job of rest) job.schedule();
    for (const job of rest) await job;
    assert.deepEqual(orderOf(order), [0, 1, 2, 3, 4, 5]);
  });
});

test("a job that waits on one thread runs what it needs, in the same order every time", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    for (let k = 0; k < 20; k++) {
      const order = shared(Int32Array, 8);
      await jobs.run(work.logTwoAndWait, order);
      assert.deepEqual(orderOf(order), [2, 1, 3]);
    }
  });
});

test("chain links jobs one after the other and returns the last", HANGS, async () => {
  await withSystem({ threads: 3 }, async (jobs) => {
    const order = shared(Int32Array, 1001);
    const all = Array.from({ length: 1000 }, (_, id) => jobs.spawn(work.log, order, id));
    const [first, ...rest] = all;
    const last = jobs.chain(first, ...rest);
    assert.equal(last, all[999]);
    await last;
    assert.deepEqual(
      orderOf(order),
      Array.from({ length: 1000 }, (_, id) => id),
    );
    assert.throws(() => (jobs.chain as () => void)(), /at least one job/);
  });
});
