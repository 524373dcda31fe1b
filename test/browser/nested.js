/** A worker of the user's that creates a system: it may block. */
import { JobSystem } from "/heddle/index.js";
import * as work from "./work.js";

const jobs = await JobSystem.create({ threads: 2, modules: [new URL("./work.js", import.meta.url)] });
const waited = jobs.run(work.add, 1, 2).wait();
const awaited = await jobs.run(work.later, 2);
await jobs.shutdown();
postMessage([waited, awaited]);
