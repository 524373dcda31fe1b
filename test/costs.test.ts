/** What must not happen in steady state, counted: allocations on the JavaScript heap, and wakes. */
import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Group, Job, JobSystem } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

/** Waits for what was submitted. */
type End = () => Promise<unknown> | Group | Job<unknown>;

const CALLS = 20_000;
const ROUNDS = 100;

/** Collects garbage; undefined where the runtime has no way to. */
const collect = (() => {
  try {
    setFlagsFromString("--expose-gc");
    return runInNewContext("gc") as () => void;
  } catch {
    return undefined;
  }
})();

/**
 * Bytes allocated by each call, in the best of many rounds: after warming up, and without other allocations in between.
 *
 * @param enough as few that no further round is needed
 */
async function allocated(enough: number, round: (calls: number) => End): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let k = 0; k < ROUNDS && least >= enough; k++) {
    collect?.();
    const before = process.memoryUsage().heapUsed;
    const end = round(CALLS);
    const bytes = process.memoryUsage().heapUsed - before;
    if (bytes >= 0) least = Math.min(least, bytes / CALLS);
    await end();
  }
  return least;
}

const skip =
  collect === undefined || process.versions.bun !== undefined ? "needs V8's garbage collector at hand" : false;

test("jobs of a group allocate nothing on the heap", { ...HANGS, skip }, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const bytes = await allocated(2, (calls) => {
      const group = jobs.group();
      for (let k = 0; k < calls; k++) group.run(work.add, k, 1);
      return () => group;
    });
    assert.ok(bytes < 2, `${bytes} bytes per job`);
  });
});

test("a job with a handle allocates little more than the handle", { ...HANGS, skip }, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const kept: Job<number>[] = new Array(CALLS).fill(undefined);
    const bytes = await allocated(60, (calls) => {
      for (let k = 0; k < calls; k++) kept[k] = jobs.spawn(work.add, k, 1);
      return () => Promise.all(kept);
    });
    assert.ok(bytes < 60, `${bytes} bytes per job`);
  });
});

test("results are not kept alive by other jobs, nor by the system", { ...HANGS, skip }, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const MEBIBYTE = 2 ** 20;
    collect?.();
    const before = process.memoryUsage().arrayBuffers;
    for (let k = 0; k < 24; k++) assert.equal((await jobs.run(work.makeBytes, 4 * MEBIBYTE)).length, 4 * MEBIBYTE);
    // Buffers are freed by threads of the runtime's own, some time after they were collected.
    await until(() => {
      collect?.();
      return process.memoryUsage().arrayBuffers - before < 16 * MEBIBYTE;
    });
  });
});

test("shared memory that workers send to each other is let go, also by threads that never use it", {
  ...HANGS,
  skip,
}, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const MEBIBYTE = 2 ** 20;
    await jobs.run(work.shareInside, 400, MEBIBYTE);
    // Some are kept until there are others to send; and what is left lies in the ports of threads that have not looked.
    await until(async () => {
      collect?.();
      return (await jobs.run(work.bytesLeft)) < 200 * MEBIBYTE;
    });
  });
});

/** How often this thread wakes others during `body`. */
function wakes(body: () => void): number {
  const notify = Atomics.notify;
  let count = 0;
  Atomics.notify = ((...args: Parameters<typeof notify>) => {
    count++;
    return notify(...args);
  }) as typeof notify;
  try {
    body();
  } finally {
    Atomics.notify = notify;
  }
  return count;
}

const THREADS = 3;

async function countWakes(submit: (jobs: JobSystem) => End): Promise<number> {
  let most = 0;
  await withSystem({ threads: THREADS }, async (jobs) => {
    for (let k = 0; k < 10; k++) {
      let end: End = () => Promise.resolve();
      const count = wakes(() => {
        end = submit(jobs);
      });
      most = Math.max(most, count);
      await end();
    }
  });
  return most;
}

test("a burst of jobs in a group is published in batches: at most one wake for each", HANGS, async () => {
  const count = await countWakes((jobs) => {
    const group = jobs.group();
    for (let k = 0; k < CALLS; k++) group.run(work.nothing);
    return () => group;
  });
  assert.ok(count <= 32 + CALLS / 32, `${count} wakes for ${CALLS} jobs`);
});

test("a graph is scheduled with at most one wake for 256 jobs", HANGS, async () => {
  const count = await countWakes((jobs) => {
    const last = jobs.spawn(work.nothing).after(...Array.from({ length: CALLS }, () => jobs.spawn(work.nothing)));
    last.schedule();
    return () => last;
  });
  assert.ok(count <= 1 + CALLS / 256, `${count} wakes for ${CALLS} jobs`);
});
