/** Jobs that wait in jobs: a stack is as deep as the program nests its waits, however many jobs are ready. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, type Job, type JobSystem, shared } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/nesting-work.js";
import { withSystem } from "./support/systems.js";

const NESTING_WORK = new URL("./support/nesting-work.js", import.meta.url);
/** More than the 61 jobs after which a worker looks at what was submitted. */
const WIDE = 100;
const LOOPS = bound(150, 400);
/** Loops that have loops inside. */
const OUTER = bound(6, 20);

async function withThreads(threads: number, body: (jobs: JobSystem) => Promise<void>): Promise<void> {
  await withSystem({ threads }, body, NESTING_WORK);
}

type Loop = (deepest: Int32Array, ...widths: number[]) => void;

/** Runs `loops` loops at once. @returns how deep waits were inside each other */
async function deepest(jobs: JobSystem, loop: Loop, loops: number, ...widths: number[]): Promise<number> {
  const noted = shared(Int32Array, 1);
  await Promise.all(Array.from({ length: loops }, () => jobs.run(loop, noted, ...widths)));
  return noted[0];
}

for (const threads of bound([1, 3], [1, 2, 4, 8])) {
  test(`loops in many jobs at once, ${threads} threads: no wait is inside another loop's`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      assert.equal(await deepest(jobs, work.loopByGroup, LOOPS, WIDE), 1, "groups");
      assert.equal(await deepest(jobs, work.loopByEach, LOOPS, WIDE), 1, "handles");
      assert.equal(await deepest(jobs, work.loopByLast, LOOPS, WIDE), 1, "continuations");
    });
  });

  test(`loops in loops in loops, ${threads} threads: as deep as they are nested`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      assert.equal(await deepest(jobs, work.loopByGroup, OUTER, 8, 12, 9), 3, "groups");
      assert.equal(await deepest(jobs, work.loopByEach, OUTER, 8, 12, 9), 3, "handles");
      assert.equal(await deepest(jobs, work.loopByLast, OUTER, 8, 12, 9), 3, "continuations");
    });
  });

  test(`a wait for what may be another's job stays shallow, ${threads} threads`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      const most = 40;
      const depth = await deepest(jobs, work.loopByCount, LOOPS, WIDE);
      assert.ok(depth <= most, `wait groups: ${depth} deep`);
      const noted = shared(Int32Array, 1);
      await Promise.all(Array.from({ length: bound(300, 1000) }, () => jobs.run(work.loopByMain, noted)));
      assert.ok(noted[0] <= most, `jobs of the main thread: ${noted[0]} deep`);
    });
  });

  test(`jobs that wait for jobs of others, which come after them, ${threads} threads`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      // Each waits for the next, which is submitted later; the last is there from the beginning.
      for (let round = 0; round < bound(2, 5); round++) {
        let job: Job<number> = jobs.spawn(work.leaf, shared(Int32Array, 1), 10);
        for (let k = 0; k < 100; k++) job = jobs.spawn(work.waitForGiven, job);
        const outer = Array.from({ length: 50 }, () => jobs.run(work.waitForGiven, job));
        job.schedule();
        assert.deepEqual(new Set(await Promise.all(outer)), new Set([45]));
      }
    });
  });

  test(`fork–join by halves, many at once, ${threads} threads`, HANGS, async () => {
    await withThreads(threads, async (jobs) => {
      const all = Array.from({ length: bound(20, 60) }, () => jobs.run(work.waitForHalves, 0, 500));
      assert.deepEqual(new Set(await Promise.all(all)), new Set([124_750]));
    });
  });
}

test("jobs that wait for asynchronous jobs, more than threads", HANGS, async () => {
  await withThreads(3, async (jobs) => {
    const waits = Array.from({ length: 100 }, (_, k) => jobs.run(work.waitForSoon, k));
    const outcomes = await Promise.allSettled(waits);
    // Where all three wait so, nobody can go on with an asynchronous job: then a wait says so.
    for (const [k, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") assert.equal(outcome.value, k);
      else assert.match(String(outcome.reason), /use await in place of wait/);
    }
  });
});

test("a wait for a job that blocks until a foreign job runs takes that", HANGS, async () => {
  await withThreads(2, async (jobs) => {
    const channel = new Channel({ capacity: 1 });
    const begun = shared(Int32Array, 1);
    const waiting = jobs.run(work.waitForReceiver, channel, begun);
    await until(() => Atomics.load(begun, 0) === 1);
    const sent = jobs.run(work.sendOne, channel, 7);
    assert.equal(await waiting, 7);
    await sent;
  });
});

test("the main thread waits: its jobs' loops are not behind what its program has submitted", HANGS, async () => {
  await withThreads(2, async (jobs) => {
    for (const loop of [work.loopByGroup, work.loopByEach]) {
      const noted = shared(Int32Array, 1);
      const all = jobs.group();
      for (let k = 0; k < LOOPS; k++) all.run(loop, noted, WIDE);
      all.wait();
      assert.equal(noted[0], 1);
    }
  });
});
