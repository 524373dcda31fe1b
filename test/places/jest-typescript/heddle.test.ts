import { join } from "node:path";
import { Worker } from "node:worker_threads";
import * as heddle from "heddle";
import { cases, runCase } from "./cases.ts";
import * as work from "./work.ts";

const worker = (options) => new Worker(join(__dirname, "jobs.worker.js"), options);
for (const name of Object.keys(cases)) test(name, () => runCase(name, heddle, work, { modules: [work], worker }));
