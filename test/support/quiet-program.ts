/** Programs for tests of output and of the process's end: `quiet-program.js NAME`. None but `shutDown` shuts its system down. */
import { JobSystem, shared } from "heddle";
import * as work from "./quiet-work.js";

const modules = [new URL("./quiet-work.js", import.meta.url)];
const LINES = 20;

const PROGRAMS: Record<string, (jobs: JobSystem) => Promise<void> | void> = {
  /** Two jobs print and go on until the standard input ends; a third thread has other jobs meanwhile. */
  async prompt(jobs) {
    const cells = shared(Int32Array, 1);
    process.stdin.on("end", () => Atomics.store(cells, 0, 1)).resume();
    const held = [jobs.run(work.printAndHold, LINES, cells), jobs.run(work.printAndHold, LINES, cells)];
    for (let k = 0; k < LINES; k++) await jobs.run(work.print, 1);
    await Promise.all(held);
    console.log("end");
  },

  idle() {},

  async job(jobs) {
    await jobs.run(work.print, LINES);
  },

  async group(jobs) {
    const group = jobs.group();
    for (let k = 0; k < LINES; k++) group.run(work.print, 1);
    await group;
  },

  async all(jobs) {
    await Promise.all(Array.from({ length: LINES }, () => jobs.run(work.print, 1)));
  },

  async asynchronous(jobs) {
    await jobs.run(work.printLater, LINES);
  },

  synchronous(jobs) {
    const group = jobs.group();
    for (let k = 0; k < LINES; k++) group.run(work.print, 1);
    group.wait();
  },

  unawaited(jobs) {
    jobs.run(work.forever);
    jobs.run(work.foreverLater);
  },

  /** Ends only if `unref` is called, by a timer that does not keep the process alive itself. */
  referenced(jobs) {
    jobs.ref();
    setTimeout(() => {
      console.log("still here");
      jobs.unref();
    }, 50).unref();
  },

  async referencedAndAwaited(jobs) {
    jobs.ref();
    await jobs.run(work.print, 1);
    setTimeout(() => {
      const last = jobs.run(work.printLater, LINES - 1).then(() => {});
      // What is awaited keeps the process alive all the same.
      jobs.unref();
      return last;
    }, 50).unref();
  },

  shutDown(jobs) {
    jobs.ref();
    jobs.run(work.printLater, LINES);
    void jobs.shutdown().then(() => {
      console.log("down");
      jobs.ref();
    });
    jobs.unref();
  },
};

await PROGRAMS[process.argv[2]](await JobSystem.create({ threads: 3, modules }));
