/** `npm run bench [-- --threads N] [--only NAME]`: each workload in a fresh process, medians, one table. */
import { spawnSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { PISCINA, WORKLOADS } from "./workloads.js";

const { values } = parseArgs({
  options: { threads: { type: "string", default: "2" }, only: { type: "string" } },
});
const threads = Number(values.threads);
if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
  throw new RangeError(`--threads must be a whole number from 1 to 256, not "${values.threads}"`);
}
const names = Object.keys(WORKLOADS).filter((name) => values.only === undefined || name === values.only);
if (names.length === 0) throw new RangeError(`--only must be one of ${Object.keys(WORKLOADS).join(", ")}`);

/** Sorted nanoseconds per job. */
function measured(what: string, name: string): number[] {
  const file = fileURLToPath(new URL("./measure.js", import.meta.url));
  const run = spawnSync(process.execPath, [file, what, name, String(threads)], { encoding: "utf8" });
  if (run.status !== 0) throw new Error(`${what} ${name} failed: ${run.stderr}`);
  return JSON.parse(run.stdout) as number[];
}

const format = (ns: number) => ns.toLocaleString("en", { maximumFractionDigits: 0 });
const median = (sorted: readonly number[]) => sorted[sorted.length >> 1];

console.log(`${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}, ${threads} threads`);
console.log("\n| workload | ns per job, median of 7 | min–max | Piscina | ratio |\n|---|--:|--:|--:|--:|");
for (const name of names) {
  const ours = measured("heddle", name);
  const range = `${format(ours[0])}–${format(ours[ours.length - 1])}`;
  let peer = "– | –";
  if (name in PISCINA) {
    const theirs = median(measured("piscina", name));
    peer = `${format(theirs)} | ${(theirs / median(ours)).toFixed(1)}`;
  }
  console.log(`| ${name} | ${format(median(ours))} | ${range} | ${peer} |`);
}
