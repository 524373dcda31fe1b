/** The graphs with heddle: one process that submits and has a worker. */
import { Cluster, type Graph } from "heddle/cluster";
import * as work from "./work.js";

const WORK = new URL("./work.js", import.meta.url);

/** A graph of empty jobs. @returns milliseconds of each run */
export async function ours(
  url: string | undefined,
  graph: readonly (readonly number[])[],
  threads: number,
  runs: number,
): Promise<number[]> {
  return await time(url, threads, runs, (all) => {
    const jobs = graph.map((_, number) => all.spawn(work.nothing, number));
    for (const [k, before] of graph.entries()) jobs[k].after(...before.map((n) => jobs[n]));
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
  return await time(url, threads, runs, (graph) => {
    for (let k = 0; k < jobs; k++) graph.spawn(work.many, each);
  });
}

async function time(
  url: string | undefined,
  threads: number,
  runs: number,
  fill: (graph: Graph) => void,
): Promise<number[]> {
  await using cluster = await Cluster.connect({ modules: [WORK], url, schema: "ours" });
  await cluster.startWorker({ threads });
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const graph = cluster.graph();
    fill(graph);
    await (await cluster.submit(graph)).done;
    times.push(performance.now() - start);
  }
  return times;
}
