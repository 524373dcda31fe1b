/** Empty jobs that the main thread submits, and fork–join in jobs. */
import type { Job, JobSystem } from "heddle";
import type { Row } from "./rows.js";
import { counted, nsPerJob } from "./runs.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const WARM_UPS = 10;
const MILLION = 1_000_000;
const FIB = 27;

/** Runs once. @returns how many jobs that were */
type Workload = (jobs: JobSystem) => Promise<number>;

async function independent(jobs: JobSystem): Promise<number> {
  const group = jobs.group();
  for (let k = 0; k < MILLION; k++) group.run(work.nothing);
  await group;
  return MILLION;
}

/** With a handle for each, of which none is kept; when the last is done, the others are, but for those that run just then. */
async function handles(jobs: JobSystem): Promise<number> {
  let last = jobs.run(work.nothing);
  for (let k = 1; k < MILLION; k++) last = jobs.run(work.nothing);
  await last;
  return MILLION;
}

/** The same, and all handles are kept to the end. */
export async function keptHandles(jobs: JobSystem): Promise<number> {
  const all: Job<void>[] = [];
  for (let k = 0; k < MILLION; k++) all.push(jobs.run(work.nothing));
  await all[MILLION - 1];
  return MILLION;
}

async function forkJoin(jobs: JobSystem): Promise<number> {
  await jobs.run(work.fib, FIB);
  return spawns(FIB) + 1;
}

/** How many jobs fib(n) makes. */
function spawns(n: number): number {
  return n < 2 ? 0 : 1 + spawns(n - 1) + spawns(n - 2);
}

async function timed(name: string, jobs: JobSystem, workload: Workload): Promise<Row> {
  const samples = await counted(WARM_UPS, async () => {
    const start = performance.now();
    return nsPerJob(start, await workload(jobs));
  });
  return { name, unit: "ns/job", samples };
}

function benchmark(...workloads: [name: string, workload: Workload][]): (threads: number) => Promise<Row[]> {
  return (threads) =>
    withSystem(threads, async (jobs) => {
      const rows: Row[] = [];
      for (const [name, workload] of workloads) rows.push(await timed(name, jobs, workload));
      return rows;
    });
}

export const SUBMIT = {
  independent: benchmark(["independent", independent]),
  handles: benchmark(["handles", handles], ["handles, all kept", keptHandles]),
  "fork-join": benchmark(["fork-join", forkJoin]),
};
