/** Times one workload in this process: `measure.js heddle|piscina NAME THREADS`, prints nanoseconds per job as JSON. */
import { JobSystem } from "heddle";
import { Piscina } from "piscina";
import { PISCINA, WORKLOADS } from "./workloads.js";

const WARM_UPS = 3;
const RUNS = 7;

async function times(once: () => Promise<number>): Promise<number[]> {
  const measured: number[] = [];
  for (let run = -WARM_UPS; run < RUNS; run++) {
    const start = performance.now();
    const count = await once();
    if (run >= 0) measured.push(((performance.now() - start) * 1e6) / count);
  }
  return measured.sort((a, b) => a - b);
}

const [what, name, threads] = process.argv.slice(2);
if (what === "heddle") {
  const jobs = await JobSystem.create({ threads: Number(threads), modules: [new URL("./work.js", import.meta.url)] });
  console.log(JSON.stringify(await times(() => WORKLOADS[name](jobs))));
  await jobs.shutdown();
} else {
  const pool = new Piscina({
    filename: new URL("./piscina-work.js", import.meta.url).href,
    minThreads: Number(threads),
    maxThreads: Number(threads),
    concurrentTasksPerWorker: 10,
  });
  console.log(JSON.stringify(await times(() => PISCINA[name](pool))));
  await pool.destroy();
}
