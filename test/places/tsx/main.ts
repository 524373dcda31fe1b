import { Worker } from "node:worker_threads";
import * as heddle from "heddle";
import { runAll } from "./cases.js";
import * as work from "./work.ts";

await runAll(heddle, work, {
  modules: [work],
  worker: (options) => new Worker(new URL("./jobs.worker.js", import.meta.url), options),
});
