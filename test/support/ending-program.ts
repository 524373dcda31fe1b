/** Programs for tests of how workers end: `ending-program.js NAME`. */
import { JobSystem, shared } from "heddle";
import * as work from "./open-work.js";

const jobs = await JobSystem.create({ threads: 2, modules: [new URL("./open-work.js", import.meta.url)] });

const PROGRAMS: Record<string, () => Promise<unknown>> = {
  /** Both workers have something open, and print when they end. */
  async shutDown() {
    // Each waits for the other, so that they are on two workers.
    const cells = shared(Int32Array, 1);
    await Promise.all(["0", "1"].map((words) => jobs.run(work.meet, cells, 2, "interval", words)));
    await jobs.shutdown();
  },

  /** One worker loops, the other one is idle. */
  async forced() {
    const cells = shared(Int32Array, 2);
    void jobs.run(work.loop, cells.subarray(1)).then(undefined, () => {});
    while (Atomics.load(cells, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await jobs.run(work.meet, cells, 1, "interval", "0");
    await jobs.shutdown({ force: true, grace: 1 });
  },

  async dropped() {
    await jobs.run(work.meet, shared(Int32Array, 1), 1, "interval", "0");
    process.on("exit", () => {});
  },
};

await PROGRAMS[process.argv[2]]();
