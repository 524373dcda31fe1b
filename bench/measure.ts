/** Measures one benchmark in this process: `measure.js heddle|POOL NAME THREADS`, prints its rows as JSON. */
import { AWAITED } from "./awaited.js";
import { flights } from "./flights.js";
import { gcShare } from "./gc-share.js";
import { GRAPHS } from "./graphs.js";
import { growth } from "./growth.js";
import { heap } from "./heap.js";
import { memory } from "./memory.js";
import { POOL_GRAPHS } from "./pools/graphs.js";
import { openPool, POOL_NAMES } from "./pools/pools.js";
import type { Row } from "./rows.js";
import { startUp, startUpOfPool } from "./start-up.js";
import { SUBMIT } from "./submit.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const WARM_UPS = 3;
/** Pools take long for one run, in which they warm up well. */
const POOL_WARM_UPS = 1;

const HEDDLE: Record<string, (threads: number) => Promise<Row[]>> = {
  ...SUBMIT,
  ...GRAPHS,
  flights,
  memory,
  heap,
  growth,
  "start-up": startUp,
  "gc-share": gcShare,
};

async function ofHeddle(name: string, threads: number): Promise<Row[]> {
  if (!(name in AWAITED)) return HEDDLE[name](threads);
  const measured = AWAITED[name as keyof typeof AWAITED];
  return withSystem(threads, (jobs) => measured(() => jobs.run(work.nothing), WARM_UPS));
}

async function ofPool(subject: string, name: string, threads: number): Promise<Row[]> {
  const kind = POOL_NAMES.find((known) => known === subject);
  if (kind === undefined) throw new Error(`no pool is named ${subject}`);
  if (name === "start-up") return startUpOfPool(kind, threads);
  const pool = openPool(kind, threads);
  await pool.run();
  if (name in POOL_GRAPHS) return POOL_GRAPHS[name as keyof typeof POOL_GRAPHS](pool);
  return AWAITED[name as keyof typeof AWAITED](() => pool.run(), POOL_WARM_UPS);
}

const [subject, name, threads] = process.argv.slice(2);
const rows = subject === "heddle" ? ofHeddle(name, Number(threads)) : ofPool(subject, name, Number(threads));
// Pools would keep the process alive.
process.stdout.write(JSON.stringify(await rows), () => process.exit());
