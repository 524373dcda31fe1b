/** From nothing to the first result. Each process measures once: the second start would find its code compiled. */
import { openPool, type PoolName } from "./pools/pools.js";
import type { Row } from "./rows.js";
import { createSystem } from "./system.js";
import * as work from "./work.js";

const NAME = "start-up";

export async function startUp(threads: number): Promise<Row[]> {
  const start = performance.now();
  const jobs = await createSystem(threads);
  await jobs.run(work.nothing);
  const samples = [performance.now() - start];
  await jobs.shutdown();
  return [{ name: NAME, unit: "ms", samples }];
}

export async function startUpOfPool(name: PoolName, threads: number): Promise<Row[]> {
  const start = performance.now();
  const pool = openPool(name, threads);
  await pool.run();
  const samples = [performance.now() - start];
  return [{ name: NAME, unit: "ms", samples }];
}
