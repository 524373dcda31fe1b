/**
 * `npm run stress [-- --jobs N] [--threads N] [--only groups]`: many jobs through the public API, each counted;
 * memory is shown at every tenth. Ends with an error when one is lost.
 */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { JobFailedError, JobSystem, shared } from "heddle";
import * as work from "./work.js";

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "20000000" },
    threads: { type: "string", default: "2" },
    only: { type: "string" },
  },
});
const total = Number(values.jobs);
const WAVE = 100_000;
const CHAINED = 20_000;

const jobs = await JobSystem.create({
  threads: Number(values.threads),
  modules: [new URL("./work.js", import.meta.url)],
});
const cells = shared(Int32Array, 2);
const group = jobs.group();

/** A wave through a group. @returns jobs run */
async function groupWave(): Promise<number> {
  for (let k = 0; k < WAVE; k++) group.run(work.touch, cells, 0);
  await group;
  return WAVE;
}

/** A graph with handles: fan-out, fan-in, and a failure. @returns jobs run */
async function handleWave(): Promise<number> {
  const first = jobs.spawn(work.touch, cells, 1);
  const last = jobs.spawn(work.touch, cells, 1);
  for (let k = 2; k < CHAINED; k++) first.then(jobs.spawn(work.touch, cells, 1)).then(last);
  await last;
  await assert.rejects(async () => await jobs.run(work.fail), JobFailedError);
  return CHAINED;
}

/** Fork–join inside jobs. @returns jobs run */
async function forkJoinWave(): Promise<number> {
  assert.equal(await jobs.run(work.fib, 20), 6765);
  return 10946;
}

let ran = 0;
let grouped = 0;
let linked = 0;
let shown = 0;
const start = performance.now();
while (ran < total) {
  const wave = await groupWave();
  grouped += wave;
  ran += wave;
  if (values.only !== "groups") {
    const chained = await handleWave();
    linked += chained;
    ran += chained + (await forkJoinWave());
  }
  assert.equal(cells[0] >>> 0, grouped >>> 0);
  assert.equal(cells[1] >>> 0, linked >>> 0);
  if (ran >= ((shown + 1) * total) / 10) {
    shown++;
    const { rss, heapUsed } = process.memoryUsage();
    const seconds = (performance.now() - start) / 1000;
    const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
    console.log(
      `${(ran / 1e6).toFixed(1)} million jobs, ${(seconds * 1e9) / ran < 1e6 ? ((seconds * 1e9) / ran).toFixed(0) : "–"} ns each, rss ${mebibytes(rss)}, heap ${mebibytes(heapUsed)}`,
    );
  }
}
console.log(`${ran} jobs, none lost`);
await jobs.shutdown();
