/** What jobs of a group leave on the JavaScript heap of the main thread. */
import type { JobSystem } from "heddle";
import { collectGarbage } from "./collect-garbage.js";
import type { Row } from "./rows.js";
import { counted } from "./runs.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const WARM_UPS = 3;
const WAVE = 1_000_000;
const WAVES = 5;
/** So few that what they allocate fits into the young generation, and no collection comes between. */
const CALLS = 100_000;

async function wave(jobs: JobSystem, size: number): Promise<void> {
  const group = jobs.group();
  for (let k = 0; k < size; k++) group.run(work.nothing);
  await group;
}

/** @returns bytes that stay for each million jobs */
async function growth(jobs: JobSystem): Promise<number> {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let k = 0; k < WAVES; k++) await wave(jobs, WAVE);
  collectGarbage();
  return (process.memoryUsage().heapUsed - before) / WAVES;
}

/** @returns bytes that one call of `group.run` allocates, garbage or not */
async function allocated(jobs: JobSystem): Promise<number> {
  const group = jobs.group();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let k = 0; k < CALLS; k++) group.run(work.nothing);
  const bytes = process.memoryUsage().heapUsed - before;
  await group;
  return bytes / CALLS;
}

export function heap(threads: number): Promise<Row[]> {
  return withSystem(threads, async (jobs) => [
    { name: "heap growth per 1M group jobs", unit: "bytes", samples: await counted(1, () => growth(jobs)) },
    { name: "heap allocated per group job", unit: "bytes", samples: await counted(WARM_UPS, () => allocated(jobs)) },
  ]);
}
