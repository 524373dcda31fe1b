import { Worker } from "node:worker_threads";
import * as heddle from "heddle";
import { runAll } from "./cases.js";
import * as work from "./work.js";

// What the first command has built, and the second takes along.
const worker = (options) => new Worker(new URL("./worker/index.js", import.meta.url), options);
await runAll(heddle, work, { modules: [work], worker });
