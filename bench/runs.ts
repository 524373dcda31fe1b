/** How often a workload runs: to warm up, and counted. */

export const RUNS = 7;
/** Peers that take long for one run are counted this often. */
const FEW_RUNS = 3;
const LONG_RUN = 4000;

/**
 * Calls `once` to warm up and then for the counted runs.
 *
 * @returns what it gave in the counted runs
 */
export async function counted<T>(warmUps: number, once: () => Promise<T>): Promise<T[]> {
  let runs = RUNS;
  for (let run = 0; run < warmUps && runs === RUNS; run++) {
    const start = performance.now();
    await once();
    if (performance.now() - start > LONG_RUN) runs = FEW_RUNS;
  }
  const results: T[] = [];
  for (let run = 0; run < runs; run++) results.push(await once());
  return results;
}

/** Nanoseconds per job from `start`, a time of `performance.now()`, until now. */
export function nsPerJob(start: number, jobs: number): number {
  return ((performance.now() - start) * 1e6) / jobs;
}
