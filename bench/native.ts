/** Compiles native.cpp when it is stale, and runs it. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { NativePeer } from "./benchmarks.js";
import { RUNS } from "./runs.js";

const SOURCE = fileURLToPath(new URL("../../bench/native.cpp", import.meta.url));
const OPTIONS = ["-O3", "-march=native", "-std=c++17", "-fopenmp"];
const ADVICE = "(Debian: apt-get install g++ libtbb-dev)";

/** What could be compiled. */
export interface Native {
  /** Without it there are no native peers. */
  readonly program: string | undefined;
  readonly tbb: boolean;
  /** What is skipped and why, for the reader. */
  readonly skipped: string | undefined;
}

/** Compiles with oneTBB, or at least with OpenMP alone. */
export function compileNative(): Native {
  const withTbb = compiled("native-tbb", [...OPTIONS, SOURCE, "-ltbb"]);
  if (withTbb.program !== undefined) return { program: withTbb.program, tbb: true, skipped: undefined };
  const alone = compiled("native-openmp", [...OPTIONS, "-DNO_TBB", SOURCE]);
  const skipped =
    alone.program === undefined
      ? `native peers skipped: ${alone.reason} ${ADVICE}`
      : `oneTBB skipped: ${withTbb.reason} ${ADVICE}`;
  return { program: alone.program, tbb: false, skipped };
}

function compiled(name: string, options: readonly string[]): { program?: string; reason?: string } {
  const program = fileURLToPath(new URL(name, import.meta.url));
  if (existsSync(program) && statSync(program).mtimeMs > statSync(SOURCE).mtimeMs) return { program };
  const run = spawnSync("g++", [...options, "-o", program], { encoding: "utf8" });
  if (run.error !== undefined) return { reason: `g++ cannot be run: ${run.error.message}` };
  if (run.status === 0) return { program };
  const line = run.stderr.split("\n").find((text) => /error|cannot find/.test(text)) ?? "g++ failed";
  return { reason: line.trim() };
}

/** @returns nanoseconds per job of each counted run */
export function runNative(program: string, { workload }: NativePeer, threads: number): number[] {
  const run = spawnSync(program, [...workload, String(threads), String(RUNS)], { encoding: "utf8" });
  if (run.status !== 0) {
    throw new Error(`${workload.join(" ")} failed: ${run.error?.message ?? run.signal ?? run.stderr}`);
  }
  return JSON.parse(run.stdout) as number[];
}
