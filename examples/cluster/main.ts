/**
 * Summarises the flights on a cluster. With the address of a PostgreSQL database, as `heddle worker` is given it, as an
 * argument, its workers run the jobs; without one, the database is embedded and this process runs them.
 */
import { fileURLToPath } from "node:url";
import { Cluster } from "heddle/cluster";
import { clusterGraph, WORK } from "./graph.js";

const FILE = fileURLToPath(new URL("../../../node_modules/vega-datasets/data/flights-200k.json", import.meta.url));
const url = process.argv[2];

await using cluster = await Cluster.connect({ modules: [WORK], url });
if (url === undefined) await cluster.startWorker();
const graph = cluster.graph();
const summary = clusterGraph(graph, FILE, 16);
const run = await cluster.submit(graph, { name: "flights" });
console.log(`run ${run.id}`);
run.on("progress", ({ completed, jobs }) => console.log(`${completed} of ${jobs} jobs`));
const { flights, hours } = await run.result(summary);
const worst = hours.reduce((most, hour, h) => (hour.mean > hours[most].mean ? h : most), 0);
console.log(
  `${flights.toLocaleString("en")} flights; the worst hour is ${worst}: ${hours[worst].mean.toFixed(1)} minutes late`,
);
