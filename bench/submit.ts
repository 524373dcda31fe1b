/** Empty jobs that the main thread submits, and fork–join in jobs. */
import type { Job, JobSystem } from "heddle";
import type { Row } from "./rows.js";
import { counted, nsPerJob } from "./runs.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const WARM_UPS = 3;
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

/** With a handle for each; when the last is done, the others are, but for the few that other workers just run. */
export async function handles(jobs: JobSystem): Promise<number> {
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

function timed(name: string, workload: Workload): (threads: number) => Promise<Row[]> {
  return (threads) =>
    withSystem(threads, async (jobs) => {
      const samples = await counted(WARM_UPS, async () => {
        const start = performance.now();
        return nsPerJob(start, await workload(jobs));
      });
      return [{ name, unit: "ns/job", samples }];
    });
}

export const SUBMIT = {
  independent: timed("independent", independent),
  handles: timed("handles", handles),
  "fork-join": timed("fork-join", forkJoin),
};
