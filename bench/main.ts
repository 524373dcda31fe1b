/**
 * `npm run bench [-- --json FILE] [--only NAME] [--threads N]`: each benchmark of heddle and, right after it, of its
 * peers, each in a fresh process; medians and spread in one table.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import type { Benchmark } from "./benchmarks.js";
import { compileNative, type Native, runNative } from "./native.js";
import { readOptions, UsageError } from "./options.js";
import { HEDDLE, headline, type Report, type Result, TABLE_FOOT, TABLE_HEAD, tableLines } from "./report.js";
import type { Row } from "./rows.js";

/** What takes longer than this, in milliseconds, hangs. */
const TOO_LONG = 900_000;
const MEASURE = fileURLToPath(new URL("./measure.js", import.meta.url));

function inFreshProcess(subject: string, { name, flags }: Benchmark, threads: number): Row[] {
  const args = [...flags, MEASURE, subject, name, String(threads)];
  const run = spawnSync(process.execPath, args, { encoding: "utf8", timeout: TOO_LONG });
  if (run.status === 0) return JSON.parse(run.stdout) as Row[];
  throw new Error(`${subject} failed at ${name}: ${run.error?.message ?? run.signal ?? run.stderr}`);
}

/** The rows of all processes of one subject, their samples together. */
function measured(subject: string, benchmark: Benchmark, threads: number): Result[] {
  const rows = inFreshProcess(subject, benchmark, threads);
  for (let more = 1; more < benchmark.processes; more++) {
    inFreshProcess(subject, benchmark, threads).forEach((row, k) => {
      rows[k].samples.push(...row.samples);
    });
  }
  return rows.map((row) => ({ ...row, subject }));
}

function measuredNative({ program, tbb }: Native, benchmark: Benchmark, threads: number): Result[] {
  if (program === undefined) return [];
  const peers = benchmark.native.filter(({ peer }) => tbb || peer !== "oneTBB");
  return peers.map((peer) => ({
    subject: peer.peer,
    name: peer.row,
    unit: "ns/job",
    samples: runNative(program, peer, threads),
  }));
}

function main(): void {
  const { benchmarks, threads, json } = readOptions();
  const machine = { cpu: cpus()[0].model, cores: availableParallelism(), node: process.version, threads };
  const report: Report = { machine, results: [] };
  console.log(headline(report));
  const native = compileNative();
  if (native.skipped !== undefined) console.log(native.skipped);
  console.log(`\n${TABLE_HEAD}`);
  for (const benchmark of benchmarks) {
    const ours = measured(HEDDLE, benchmark, threads);
    const theirs = measuredNative(native, benchmark, threads);
    const pools = benchmark.pools.flatMap((pool) => measured(pool, benchmark, threads));
    const results = [...ours, ...theirs, ...pools];
    console.log(tableLines(results));
    report.results.push(...results);
  }
  console.log(`\n${TABLE_FOOT}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, undefined, 1)}\n`);
}

try {
  main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
