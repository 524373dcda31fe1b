/**
 * `npm run soak:cluster -- --minutes N [--seed S]`: random graphs on a cluster with a server, while workers and the server are killed,
 * stopped and replaced by older ones, and connections fail in many ways. Each job must get an outcome that is explained, in time, and run
 * no more often than at-least-once allows; else it ends with 1. The server is HEDDLE_TEST_POSTGRES, or else one of its own.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Cluster } from "heddle/cluster";
import { Random } from "../soak/random.js";
import { checkExecutions } from "./soak/check.js";
import { Faults } from "./soak/faults.js";
import { type Flight, fly } from "./soak/flight.js";
import { killsIn } from "./soak/kills.js";
import { Notes } from "./soak/notes.js";
import { type Plan, randomPlan } from "./soak/plan.js";
import { watchProgress } from "./soak/progress.js";
import { LossyProxy } from "./soak/proxy.js";
import { runWithServer } from "./soak/server.js";
import { ENDS, FAULTS, Tally } from "./soak/tally.js";
import { makeTrouble } from "./soak/trouble.js";
import { Workers } from "./soak/workers.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});

/** A number that the user gave. @throws RangeError naming the option */
function numberOf(option: keyof typeof values, least: number, most: number): number {
  const value = Number(values[option]);
  if (value >= least && value <= most) return value;
  throw new RangeError(`--${option} must be a number from ${least} to ${most}, not "${values[option]}"`);
}

const minutes = numberOf("minutes", 0, 1e6);
const seed = numberOf("seed", 0, 2 ** 32);
const url = process.env.HEDDLE_TEST_POSTGRES;
if (url === undefined) process.exit(await runWithServer());

const WORKERS = 4;
/** How many of them are connected through a proxy. */
const PROXIED = 2;
/** Runs that each of the two who submit keeps open. */
const LANES = 3;
/** In milliseconds. */
const SHOW_EVERY = 10_000;
const LONGEST_END = 300_000;

const folder = mkdtempSync(join(tmpdir(), "heddle-"));
const notesFolder = join(folder, "notes");
mkdirSync(notesFolder);
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

const schema = `soak_${process.pid}`;
const restart = process.env.HEDDLE_TEST_POSTGRES_RESTART;
const tally = new Tally();
const faults = new Faults();
const notes = new Notes(notesFolder);
const flights = new Set<Flight>();
const plans: Plan[] = [];
/** Of them, those whose runs have ended. */
const landed: Plan[] = [];
/** What the submitters' clusters have reported, and how often. */
const reports = new Map<string, number>();

const how =
  restart === undefined ? "; the server is not crashed, as HEDDLE_TEST_POSTGRES_RESTART does not say how" : "";
console.log(`Node ${process.version}, ${WORKERS} workers, seed ${seed}, ${minutes} minutes${how}\n`);

async function connect(address: string): Promise<Cluster> {
  const cluster = await Cluster.connect({
    modules: [new URL("./soak/work.js", import.meta.url)],
    url: address,
    schema,
  });
  cluster.on("error", ({ message }) => reports.set(message, (reports.get(message) ?? 0) + 1));
  return cluster;
}

const proxy = await LossyProxy.start(url);
const monitor = await connect(url);
const submitters = [await connect(url), await connect(proxy.url)];
const workers = await Workers.start(url, schema, WORKERS, PROXIED, notesFolder, new Random(seed + 1), faults, (what) =>
  tally.note("stuck", what),
);

const start = performance.now();
const end = start + 60_000 * minutes;
console.log(`| s | open | graphs | submitted | executions | ${ENDS.join(" | ")} | ${FAULTS.join(" | ")} | troubles |`);
console.log(`|${"--:|".repeat(5 + ENDS.length + FAULTS.length + 1)}`);

/** @param over of which runs to check the executions: files are read one after the other, in which others go on */
function show(over: readonly Plan[]): void {
  notes.read();
  const kills = killsIn(plans, notes);
  for (const plan of over) checkExecutions(plan, notes, [faults, kills], tally);
  const troubles = Object.values(faults.counts).reduce((sum, count) => sum + count, 0);
  const counts = [flights.size, tally.graphs, tally.submitted, notes.count, ...ENDS.map((kind) => tally.ends[kind])];
  const cells = [...counts, ...FAULTS.map((fault) => tally.count(fault)), troubles];
  console.log(`| ${((performance.now() - start) / 1000).toFixed(0)} | ${cells.join(" | ")} |`);
}
const showing = setInterval(() => show(landed), SHOW_EVERY);

const troubleEnds = new AbortController();
const watchEnds = new AbortController();
const trouble = makeTrouble(
  { workers, proxies: [proxy], faults, random: new Random(seed + 2), restart },
  troubleEnds.signal,
);
const watching = watchProgress({ flights, monitor, workers, faults, notes, tally, url, schema }, watchEnds.signal);
const lanes = submitters
  .flatMap((cluster) => Array<Cluster>(LANES).fill(cluster))
  .map(async (cluster, lane) => {
    const own = new Random(seed + 3 + lane);
    while (performance.now() < end) {
      const plan = randomPlan(own, plans.length, notesFolder);
      plans.push(plan);
      if (await fly({ monitor, notes, tally, flights, plans }, cluster, plan)) landed.push(plan);
    }
  });

await delay(end - performance.now());
troubleEnds.abort();
await trouble;
const late = new AbortController();
await Promise.race([Promise.all(lanes), delay(LONGEST_END, undefined, { signal: late.signal }).catch(() => {})]);
late.abort();
for (const { plan, id } of flights) {
  tally.note("lost", `graph ${plan.graph} (${id}) has not ended ${LONGEST_END / 1000} s after the last trouble`);
}
watchEnds.abort();
await watching;
await workers.close();
clearInterval(showing);
show(plans);

const list = (counts: Iterable<readonly [string, number]>) =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 15)
    .map(([what, count]) => `\n  ${count} × ${what}`)
    .join("");
tally.executions = notes.count;
console.log(`\n${tally.summary()}`);
console.log(
  `troubles: ${Object.entries(faults.counts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ")}; ${workers.started} workers started`,
);
console.log(`reported by workers:${list(workers.reports)}`);
console.log(`reported by who submits:${list(reports)}`);
process.exit(tally.clean ? 0 : 1);
