/** How the cost of a job grows with the number of jobs and of threads. */
import type { JobSystem } from "heddle";
import type { Row } from "./rows.js";
import { counted } from "./runs.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const COUNTS = [1e3, 1e4, 1e5, 1e6, 1e7];
const THREADS = [1, 2, 4, 8];
const COUNT_FOR_THREADS = 1e6;
/** As many as are submitted before the main thread waits. */
const WAVE = 1e6;
/** Small counts are repeated until a counted run takes this many milliseconds. */
const LONG_ENOUGH = 50;

async function throughGroup(jobs: JobSystem, count: number): Promise<void> {
  for (let left = count; left > 0; left -= WAVE) {
    const group = jobs.group();
    for (let k = Math.min(left, WAVE); k > 0; k--) group.run(work.nothing);
    await group;
  }
}

async function row(jobs: JobSystem, count: number, name: string): Promise<Row> {
  let repeats = 1;
  const repeated = async () => {
    const start = performance.now();
    for (let k = 0; k < repeats; k++) await throughGroup(jobs, count);
    return performance.now() - start;
  };
  while ((await repeated()) < LONG_ENOUGH) repeats *= 2;
  const milliseconds = await counted(1, repeated);
  return { name, unit: "ns/job", samples: milliseconds.map((time) => (time * 1e6) / (repeats * count)) };
}

export async function growth(threads: number): Promise<Row[]> {
  const rows: Row[] = [];
  await withSystem(threads, async (jobs) => {
    for (const count of COUNTS) rows.push(await row(jobs, count, `growth, ${count.toLocaleString("en")} jobs`));
  });
  for (const some of THREADS) {
    const name = `growth, 1M jobs at ${some} thread${some === 1 ? "" : "s"}`;
    rows.push(await withSystem(some, (jobs) => row(jobs, COUNT_FOR_THREADS, name)));
  }
  return rows;
}
