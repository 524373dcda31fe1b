import { join } from "node:path";
import { Worker } from "node:worker_threads";
import * as heddle from "heddle";
import { runAll } from "./cases.js";
import * as work from "./work.js";

// esbuild leaves import.meta.url empty in CommonJS.
const worker = (options) => new Worker(join(__dirname, "jobs.worker.cjs"), options);
runAll(heddle, work, { modules: [work], worker });
