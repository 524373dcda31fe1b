/**
 * `npm run bench:responsive [-- --threads N]`: how long the main thread's event loop is held up while a million awaited jobs
 * complete. The first turn is told apart: there the program submits, perhaps all in one go, which is its own time.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { JobSystem } from "heddle";
import { quantile } from "./rows.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const JOBS = 1_000_000;
const LANES = 10_000;
const RESOLUTION = 1;

const WORKLOADS: Record<string, (jobs: JobSystem, count: number) => Promise<unknown>> = {
  "all in flight, Promise.all": (jobs, count) =>
    Promise.all(Array.from({ length: count }, () => jobs.run(work.nothing))),
  "10,000 in flight": (jobs, count) =>
    Promise.all(
      Array.from({ length: LANES }, async () => {
        for (let k = 0; k < count / LANES; k++) await jobs.run(work.nothing);
      }),
    ),
  "all in flight, one after the other": async (jobs, count) => {
    for (const job of Array.from({ length: count }, () => jobs.run(work.nothing))) await job;
  },
  "one in flight": async (jobs, count) => {
    for (let k = 0; k < count; k++) await jobs.run(work.nothing);
  },
};

/** Measures turns of the event loop until stopped. @returns how to stop it, which gives them in milliseconds */
function probe(): () => number[] {
  const turns: number[] = [];
  let last = performance.now();
  let next: NodeJS.Immediate;
  const turn = () => {
    const now = performance.now();
    turns.push(now - last);
    last = now;
    next = setImmediate(turn);
  };
  next = setImmediate(turn);
  return () => {
    clearImmediate(next);
    return [...turns, performance.now() - last];
  };
}

const { values } = parseArgs({ options: { threads: { type: "string", default: "2" } } });
const milliseconds = (value: number) => value.toFixed(1);

console.log(`Node ${process.version}, ${values.threads} threads, ${JOBS.toLocaleString("en")} jobs; milliseconds\n`);
console.log("| awaited | first turn | in all | turns | turn p50 | p99 | max | timer delay p50 | p99 | max |");
console.log("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
await withSystem(Number(values.threads), async (jobs) => {
  for (const [name, workload] of Object.entries(WORKLOADS)) {
    for (const count of [JOBS / 10, JOBS]) {
      const start = performance.now();
      const done = workload(jobs, count);
      await turn();
      const submitted = performance.now() - start;
      const delays = monitorEventLoopDelay({ resolution: RESOLUTION });
      delays.enable();
      const stop = probe();
      await done;
      const turns = stop();
      delays.disable();
      const whole = performance.now() - start;
      if (count < JOBS) continue;
      const cells = [
        milliseconds(submitted),
        milliseconds(whole),
        String(turns.length),
        ...[0.5, 0.99, 1].map((share) => milliseconds(quantile(turns, share))),
        ...[delays.percentile(50), delays.percentile(99), delays.max].map((value) => milliseconds(value / 1e6)),
      ];
      console.log(`| ${[name, ...cells].join(" | ")} |`);
    }
  }
});
