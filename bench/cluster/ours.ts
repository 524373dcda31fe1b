/** The graphs with heddle: one process that submits and has a worker. */
import { Cluster } from "heddle/cluster";
import * as work from "./work.js";

const WORK = new URL("./work.js", import.meta.url);

export async function ours(
  url: string | undefined,
  graph: readonly (readonly number[])[],
  threads: number,
  runs: number,
): Promise<number[]> {
  return await withCluster(url, threads, async (cluster) => {
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      const start = performance.now();
      const all = cluster.graph();
      const jobs = graph.map((_, number) => all.spawn(work.nothing, number));
      for (const [k, before] of graph.entries()) jobs[k].after(...before.map((n) => jobs[n]));
      await (await cluster.submit(all)).done;
      times.push(performance.now() - start);
    }
    return times;
  });
}

/** Small jobs of which each of the cluster's runs so many locally. @returns milliseconds of each run */
export async function grouped(
  url: string | undefined,
  jobs: number,
  each: number,
  threads: number,
  runs: number,
): Promise<number[]> {
  return await withCluster(url, threads, async (cluster) => {
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      const start = performance.now();
      const graph = cluster.graph();
      for (let k = 0; k < jobs; k++) graph.spawn(work.many, each);
      await (await cluster.submit(graph)).done;
      times.push(performance.now() - start);
    }
    return times;
  });
}

async function withCluster<T>(url: string | undefined, threads: number, use: (cluster: Cluster) => Promise<T>) {
  const cluster = await Cluster.connect({ modules: [WORK], url, schema: "ours" });
  await cluster.startWorker({ threads });
  const result = await use(cluster);
  await cluster.close();
  return result;
}
