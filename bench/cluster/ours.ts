/** The graphs with heddle: one process that submits and has a worker. */
import { Cluster, type Graph } from "heddle/cluster";
import type { Prerequisites } from "./graphs.js";
import * as work from "./work.js";

const WORK = new URL("./work.js", import.meta.url);

/** @returns what runs a graph of empty jobs once, what runs small jobs of which each of the cluster's has so many, and what ends it */
export async function ours(url: string | undefined, threads: number) {
  const cluster = await Cluster.connect({ modules: [WORK], url, schema: "ours" });
  await cluster.startWorker({ threads });
  const run = async (fill: (graph: Graph) => void) => {
    const graph = cluster.graph();
    fill(graph);
    await (await cluster.submit(graph)).done;
  };
  return {
    run: (graph: Prerequisites) =>
      run((all) => {
        const jobs = graph.map((_, number) => all.spawn(work.nothing, number));
        for (const [k, before] of graph.entries()) jobs[k].after(...before.map((n) => jobs[n]));
      }),
    grouped: (jobs: number, each: number) =>
      run((graph) => {
        for (let k = 0; k < jobs; k++) graph.spawn(work.many, each);
      }),
    close: () => cluster.close(),
  };
}
