/** `node blocked-program.js SCHEMA FILE`: starts a worker, and keeps the main thread from when FILE has a line, for longer than a worker may be silent. */
import { Cluster } from "heddle/cluster";
import { linesOf, WORK } from "./clusters.js";
import { URL_OF_SERVER } from "./postgres.js";

const [schema, file] = process.argv.slice(2);
const cluster = await Cluster.connect({ modules: [WORK], url: URL_OF_SERVER, schema });
await cluster.startWorker({ threads: 1 });
console.log("ready");
while (linesOf(file).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
const end = performance.now() + 25_000;
while (performance.now() < end);
console.log("over");
