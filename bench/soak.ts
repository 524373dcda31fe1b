/**
 * `npm run soak -- --minutes N [--threads T] [--seed S]`: random graphs of jobs of all kinds on more threads than there are
 * cores, which leave handles open, while workers die. Every job must settle, in time and rightly, and run no more often than it may; else it ends with 1.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { JobSystem } from "heddle";
import { endWorkers, watchWorkers } from "./soak/crashes.js";
import { fly } from "./soak/flight.js";
import { MemoryLog } from "./soak/memory.js";
import { planOf, randomPlan } from "./soak/plan.js";
import { Random } from "./soak/random.js";
import { ENDS, Tally } from "./soak/tally.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    threads: { type: "string", default: String(3 * availableParallelism()) },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});

/** A number that the user gave. @throws RangeError naming the option */
function numberOf(option: keyof typeof values, least: number, most: number): number {
  const value = Number(values[option]);
  if (value >= least && value <= most) return value;
  throw new RangeError(`--${option} must be a number from ${least} to ${most}, not "${values[option]}"`);
}

/** Graphs in flight at once. */
const LANES = 8;
/** In milliseconds. */
const SAMPLE_EVERY = 500;
const SHOW_EVERY = 10_000;
const SHUTDOWN_DEADLINE = 180_000;

const minutes = numberOf("minutes", 0, 1e6);
const threads = numberOf("threads", 1, 256);
const seed = numberOf("seed", 0, 2 ** 32);
const random = new Random(seed);
const tally = new Tally();
const memory = new MemoryLog();
/** What was reported because nobody waited for it, by the name of the error. */
const reports: Record<string, number> = {};

console.log(`Node ${process.version}, ${threads} threads, seed ${seed}, ${minutes} minutes\n`);
const workers = watchWorkers();
const jobs = await JobSystem.create({ threads, modules: [new URL("./soak/work.js", import.meta.url)] });
jobs.on("error", (error) => {
  reports[error.name] = (reports[error.name] ?? 0) + 1;
});

const start = performance.now();
const end = start + minutes * 60_000;
memory.sample();
const sampling = setInterval(() => memory.sample(), SAMPLE_EVERY);
console.log(`| s | graphs | submitted | ${ENDS.join(" | ")} | lost | wrong | doubled | rss, MiB | shared | heap |`);
console.log(`|${"--:|".repeat(3 + ENDS.length + 3 + 3)}`);
const showing = setInterval(show, SHOW_EVERY);

function show(): void {
  const { graphs, submitted, ends, lost, wrong, doubled } = tally;
  const counts = [graphs, submitted, ...ENDS.map((kind) => ends[kind]), lost.length, wrong.length, doubled.length];
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`| ${[seconds, ...counts, ...memory.cells()].join(" | ")} |`);
}

const extra: Promise<void>[] = [];
const stopEnding = endWorkers(workers, random, (kind) => extra.push(fly(jobs, planOf(random, kind), tally)));
await Promise.all(
  Array.from({ length: LANES }, async () => {
    while (performance.now() < end && tally.lost.length === 0) await fly(jobs, randomPlan(random), tally);
  }),
);
const ended = stopEnding();
await Promise.all(extra);
clearInterval(sampling);
clearInterval(showing);
show();

let late: NodeJS.Timeout | undefined;
const deadline = new Promise<false>((resolve) => {
  late = setTimeout(resolve, SHUTDOWN_DEADLINE, false);
});
const down = await Promise.race([jobs.shutdown(), deadline]);
clearTimeout(late);
if (down === false) tally.lost.push(`the shutdown has not ended after ${SHUTDOWN_DEADLINE / 1000} s`);
const list = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ");
console.log(`\n${tally.summary()}`);
console.log(`workers ended: ${list(ended)}; reported: ${list(reports) || "nothing"}`);
console.log(`left open: ${list(tally.left)}`);
console.log(memory.summary());
process.exit(tally.clean ? 0 : 1);
