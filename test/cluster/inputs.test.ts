/** Jobs that are given many results, or large ones. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { PayloadTooLargeError } from "heddle";
import { Cluster } from "heddle/cluster";
import type { Job } from "heddle/job";
import type { Held } from "../../src/cluster/held.js";
import { Inputs } from "../../src/cluster/inputs.js";
import type { Store } from "../../src/cluster/store.js";
import { HANGS } from "../support/hangs.js";
import { LONG, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { WORK } from "./support/clusters.js";
import { freshSchema, NO_SERVER, URL_OF_SERVER } from "./support/postgres.js";

const MIB = 2 ** 20;

let cluster: Cluster;

before(async () => {
  cluster = await Cluster.connect(URL_OF_SERVER === undefined ? { modules: [WORK] } : freshSchema());
  await cluster.startWorker({ threads: 2 });
}, HANGS);

after(() => cluster.close(), HANGS);

const FUNCTIONS: ((...jobs: Job<Uint8Array>[]) => number[] | Promise<number[]>)[] = [work.measure, work.measureLater];

for (const [label, count, bytes] of [
  ["many", 300, 10],
  ["large", 24, 200_000],
  ["one of each size", 30, 0],
] as const) {
  for (const fn of FUNCTIONS) {
    test(`inputs: ${label}, to ${fn.name}`, HANGS, async () => {
      const graph = cluster.graph();
      const sizes = Array.from({ length: count }, (_, k) => bytes || 1000 * (k + 1));
      const parts = sizes.map((size) => graph.spawn(work.giveBytes, size));
      const totals = Array.from({ length: 3 }, () => graph.spawn(fn, ...parts));
      const run = await cluster.submit(graph);
      const sum = sizes.reduce((total, size) => total + size, 0);
      for (const total of totals) assert.deepEqual(await run.result(total), [sum, count]);
    });
  }
}

test("the same input twice, and one after a job that failed first", HANGS, async () => {
  const graph = cluster.graph();
  const part = graph.spawn(work.giveBytes, 50_000);
  const run = await cluster.submit(graph);
  await run.done;
  const twice = cluster.graph();
  const bytes = twice.spawn(work.giveBytes, 50_000);
  const total = twice.spawn(work.measure, bytes, bytes);
  assert.deepEqual(await (await cluster.submit(twice)).result(total), [100_000, 2]);
  assert.equal((await run.result(part)).length, 50_000);
});

test("more bytes of inputs than one job can be given: its failure says so", HANGS, async () => {
  const held = { place: { run: "r", job: 9 }, data: { fn: "work.sum", uses: [0, 1, 2].map((job) => [job, job]) } };
  const store = {
    smallOutcomes: async (places: { job: number }[]) =>
      places.map(({ job }) => ({ run: "r", job, state: 0, bytes: 2 ** 29, value: null })),
  };
  const error = await new Promise<PayloadTooLargeError>((resolve, reject) => {
    const inputs = new Inputs(store as unknown as Store, 1, {
      wanted: () => true,
      begin: async () => reject(new Error("it has begun")),
      gone: async () => reject(new Error("it is gone")),
      tooLarge: (_, failure) => resolve(failure),
      report: reject,
    });
    inputs.add(held as unknown as Held);
  });
  assert.equal(error.name, "PayloadTooLargeError");
  assert.match(error.message, /the 3 results that job "sum" is given take 1610612736 bytes together, and 1073741824/);
});

const OPTIONS = { ...HANGS, skip: NO_SERVER, ...(!LONG && ONLY_LONG) };

test("600 inputs of a megabyte", OPTIONS, async () => {
  const graph = cluster.graph();
  const parts = Array.from({ length: 600 }, () => graph.spawn(work.giveBytes, MIB - 100));
  const total = graph.spawn(work.measure, ...parts).with({ retries: 0 });
  const run = await cluster.submit(graph);
  assert.deepEqual(await run.result(total), [600 * (MIB - 100), 600]);
});
