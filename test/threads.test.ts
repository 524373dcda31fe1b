import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type Job, type JobSystem, shared } from "heddle";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

/** Of how many systems there are random graphs, and how many of each. */
const THREADS = bound([2, 5], [1, 2, 3, 4, 5, 6]);
const GRAPHS = bound(40, 336);

test("handles cross threads: linked, scheduled and waited for elsewhere", HANGS, async () => {
  await withSystem({ threads: 3 }, async (jobs) => {
    for (let k = 0; k < 300; k++) {
      const a = jobs.spawn(work.add, k, 1);
      const b = jobs.spawn(work.add, k, 2);
      const late = jobs.spawn(work.waitForIt, b);
      await jobs.run(work.linkThem, a, b);
      assert.equal(await late, k + 3);
      assert.equal(await a, k + 1);
      assert.equal(await b, k + 2);
    }
    const failed = jobs.spawn(work.boom, "elsewhere");
    await assert.rejects(async () => await jobs.run(work.waitForIt, failed as Job<number>), /elsewhere/);
    await assert.rejects(async () => await failed, /elsewhere/);
  });
});

/** A graph: for each job, its prerequisites (all lower), and how long it takes. */
interface Graph {
  readonly prerequisites: readonly (readonly number[])[];
  readonly microseconds: readonly number[];
  /** Who links and schedules: 0 the main thread, else a job. */
  readonly linkers: readonly number[];
}

function graphFrom(seed: number, size: number): Graph {
  let state = seed | 1;
  const random = (below: number) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) % below;
  };
  const prerequisites: number[][] = [];
  const microseconds: number[] = [];
  const linkers: number[] = [];
  const fan = 1 + random(4);
  for (let k = 0; k < size; k++) {
    const own = new Set<number>();
    if (k > 0)
      for (let e = random(fan + 1); e > 0; e--) own.add(random(2) ? random(k) : Math.max(0, k - 1 - random(8)));
    prerequisites.push([...own]);
    microseconds.push(random(20) === 0 ? random(60) : 0);
    linkers.push(random(3));
  }
  return { prerequisites, microseconds, linkers };
}

async function check(jobs: JobSystem, graph: Graph, distributed: boolean): Promise<void> {
  const size = graph.prerequisites.length;
  const done = shared(Int32Array, size + 1);
  const all = graph.prerequisites.map((own, k) => jobs.spawn(work.node, done, k, own, graph.microseconds[k]));
  const linking: Promise<unknown>[] = [];
  const parts: number[][] = [[], [], []];
  graph.prerequisites.forEach((own, k) => {
    for (const first of own) parts[distributed ? graph.linkers[k] : 0].push(first, k);
  });
  for (let part = 1; part < 3; part++) {
    if (parts[part].length > 0) linking.push(jobs.run(work.linkAll, parts[part], ...all).then((value) => value));
  }
  for (let k = 0; k < parts[0].length; k += 2) all[parts[0][k]].then(all[parts[0][k + 1]]);
  await Promise.all(linking);
  if (distributed) {
    const half = all.filter((_, k) => graph.linkers[k] === 1);
    linking.push(jobs.run(work.scheduleAll, ...half).then((value) => value));
  }
  const results = await Promise.all(all);
  await Promise.all(linking);
  assert.equal(done[size], 0, "a job ran before one of its prerequisites");
  for (let k = 0; k < size; k++) {
    assert.equal(done[k], 1, `job ${k} ran ${done[k]} times`);
    assert.equal(results[k], 2 * k);
  }
}

test(
  `random graphs: each job runs once, after its prerequisites, and results arrive (${THREADS.length * GRAPHS} graphs)`,
  HANGS,
  async () => {
    let graphs = 0;
    for (const threads of THREADS) {
      await withSystem({ threads }, async (jobs) => {
        await fc.assert(
          fc.asyncProperty(
            fc.integer(),
            fc.oneof(
              { weight: 20, arbitrary: fc.integer({ min: 1, max: 60 }) },
              { weight: 1, arbitrary: fc.integer({ min: 60, max: 2000 }) },
            ),
            fc.boolean(),
            async (seed, size, distributed) => {
              await check(jobs, graphFrom(seed, size), distributed);
              graphs++;
            },
          ),
          { numRuns: GRAPHS - 1 },
        );
        await check(jobs, graphFrom(threads, 2000), true);
        graphs++;
      });
    }
    assert.equal(graphs, THREADS.length * GRAPHS);
  },
);

test("one million live jobs at once", HANGS, async () => {
  await withSystem({ threads: 2 }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    const last = jobs.spawn(work.nothing);
    const gate = jobs.spawn(work.nothing);
    for (let k = 0; k < 1_000_000; k++) gate.then(jobs.spawn(work.count, cells, 0)).then(last);
    await last;
    assert.equal(cells[0], 1_000_000);
  });
});
