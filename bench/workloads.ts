/** The workloads. Each runs once and tells how many jobs that were; the caller times it. */
import type { Job, JobSystem } from "heddle";
import type { Piscina } from "piscina";
import * as work from "./work.js";

export type Workload = (jobs: JobSystem) => Promise<number>;

const MILLION = 1_000_000;
const CHAIN = 100_000;
const SIDE = 500;
const FIB = 25;
const HANDLES = 200_000;
const AWAITED = 20_000;

export const WORKLOADS: Record<string, Workload> = {
  /** Empty jobs that the main thread submits through a group. */
  async independent(jobs) {
    const group = jobs.group();
    for (let k = 0; k < MILLION; k++) group.run(work.nothing);
    await group;
    return MILLION;
  },
  /** The same with a handle for each, of which only the last is awaited. */
  async handles(jobs) {
    const all: Job<void>[] = [];
    for (let k = 0; k < HANDLES; k++) all.push(jobs.run(work.nothing));
    for (const job of all) if (!job.settled) await job;
    return HANDLES;
  },
  async chain(jobs) {
    let last = jobs.spawn(work.nothing);
    for (let k = 1; k < CHAIN; k++) last = last.then(jobs.spawn(work.nothing));
    await last;
    return CHAIN;
  },
  /** Each cell after its left and its upper neighbour; built and run. */
  async wavefront(jobs) {
    let row: Job<void>[] = [];
    for (let y = 0; y < SIDE; y++) {
      const next: Job<void>[] = [];
      for (let x = 0; x < SIDE; x++) {
        const cell = jobs.spawn(work.nothing);
        if (x > 0) next[x - 1].then(cell);
        if (y > 0) row[x].then(cell);
        next.push(cell);
      }
      row = next;
    }
    await row[SIDE - 1];
    return SIDE * SIDE;
  },
  /** fib(25) by run and wait in jobs; counted per job. */
  async "fork-join"(jobs) {
    await jobs.run(work.fib, FIB);
    return spawns(FIB);
  },
  /** Awaited empty jobs, all in flight at once. */
  async awaited(jobs) {
    await Promise.all(Array.from({ length: AWAITED }, () => jobs.run(work.nothing)));
    return AWAITED;
  },
  /** One awaited job after the other. */
  async "round trip"(jobs) {
    for (let k = 0; k < 2000; k++) await jobs.run(work.nothing);
    return 2000;
  },
};

/** What Piscina can do of these. */
export const PISCINA: Record<string, (pool: Piscina) => Promise<number>> = {
  async awaited(pool) {
    await Promise.all(Array.from({ length: AWAITED }, () => pool.run(undefined)));
    return AWAITED;
  },
  async "round trip"(pool) {
    for (let k = 0; k < 2000; k++) await pool.run(undefined);
    return 2000;
  },
};

/** How many jobs fib(n) makes. */
function spawns(n: number): number {
  return n < 2 ? 0 : 1 + spawns(n - 1) + spawns(n - 2);
}
