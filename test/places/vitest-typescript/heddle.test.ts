import { Worker } from "node:worker_threads";
import * as heddle from "heddle";
import { test } from "vitest";
import { cases, runCase } from "./cases.ts";
import * as work from "./work.ts";

const worker = (options) => new Worker(new URL("./jobs.worker.js", import.meta.url), options);
for (const name of Object.keys(cases)) test(name, () => runCase(name, heddle, work, { modules: [work], worker }));
