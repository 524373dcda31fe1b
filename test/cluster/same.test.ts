/** The same graph gives the same on one machine and on a cluster. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DependencyFailedError, type Job, JobFailedError, JobSystem } from "heddle";
import { Cluster, type ClusterJob } from "heddle/cluster";
import { clusterGraph, WORK as FLIGHTS, localGraph } from "../../examples/cluster/graph.js";
import { summarize } from "../../examples/flights/sequential.js";
import { HANGS } from "../support/hangs.js";
import { bound, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { WORK } from "./support/clusters.js";

/** A small generator of random numbers (mulberry32), so that a failure can be had again. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

interface Node {
  readonly fails: boolean;
  /** Jobs whose results it reads, and jobs that it only comes after. */
  readonly reads: readonly number[];
  readonly after: readonly number[];
}

function randomGraph(seed: number): Node[] {
  const random = randomNumbers(seed);
  return Array.from({ length: 20 + random(40) }, (_, k) => {
    const some = (most: number) =>
      k === 0 ? [] : [...new Set(Array.from({ length: random(most + 1) }, () => Math.max(0, k - 1 - random(8))))];
    return { fails: random(25) === 0, reads: some(3), after: some(2) };
  });
}

/** What became of a job, in words: of the first failures of several, which one counts is a matter of time. */
async function outcomeOf(result: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof DependencyFailedError) {
      assert.ok(error.cause instanceof JobFailedError && !(error.cause instanceof DependencyFailedError));
      return `${error.message.split(":", 1)[0]}: …`;
    }
    assert.ok(error instanceof JobFailedError);
    return `${error.message} (${(error.cause as Error).name}: ${(error.cause as Error).message})`;
  }
}

async function onOneMachine(nodes: readonly Node[]): Promise<unknown[]> {
  const jobs = await JobSystem.create({ threads: 2, modules: [WORK] });
  jobs.on("error", () => {});
  const local: Job<number>[] = [];
  for (const [k, { fails, reads, after }] of nodes.entries()) {
    const read = reads.map((n) => local[n]);
    local.push(jobs.spawn(work.mix, k, fails, ...read).after(...read, ...after.map((n) => local[n])));
  }
  for (const job of local) job.schedule();
  // Only then are results taken: jobs still read them from each other.
  await jobs.shutdown();
  return await Promise.all(local.map(outcomeOf));
}

let cluster: Cluster;

before(async () => {
  cluster = await Cluster.connect({ modules: [WORK, FLIGHTS] });
  await cluster.startWorker({ threads: 2 });
}, HANGS);

after(() => cluster.close());

test("random graphs, with failures", { ...HANGS, ...ONLY_LONG }, async () => {
  for (let seed = 1; seed <= bound(1, 12); seed++) {
    const nodes = randomGraph(seed);
    const expected = await onOneMachine(nodes);

    const graph = cluster.graph();
    const distributed: ClusterJob<number>[] = [];
    for (const [k, { fails, reads, after }] of nodes.entries()) {
      const job = graph.spawn(work.mix, k, fails, ...reads.map((n) => distributed[n]));
      distributed.push(job.after(...after.map((n) => distributed[n])).with({ retries: 0 }));
    }
    const run = await cluster.submit(graph);
    const found = await Promise.all(distributed.map((job) => outcomeOf(run.result(job))));
    assert.deepEqual(found, expected, `seed ${seed}`);
    const { completed, failed } = await run.done;
    const failures = expected.filter((each) => typeof each === "string").length;
    assert.deepEqual({ completed, failed }, { completed: nodes.length - failures, failed: failures });
  }
});

const PARTS = 13;

test("the flights, by parts of their file", { ...HANGS, ...ONLY_LONG }, async () => {
  const file = fileURLToPath(new URL("../../../node_modules/vega-datasets/data/flights-200k.json", import.meta.url));
  const expected = summarize(readFileSync(file, "utf8"));
  const jobs = await JobSystem.create({ threads: 2, modules: [FLIGHTS] });
  try {
    assert.deepEqual(await localGraph(jobs, file, PARTS), expected);
    const graph = cluster.graph();
    const summary = clusterGraph(graph, file, PARTS);
    const run = await cluster.submit(graph);
    assert.deepEqual(await run.result(summary), expected);
  } finally {
    await jobs.shutdown();
  }
});
