/** How long it takes until the job of a worker that was killed runs on another. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Cluster } from "heddle/cluster";
import * as work from "./work.js";

const WORK = new URL("./work.js", import.meta.url);
const BIN = fileURLToPath(new URL("../../../dist/cli/heddle.js", import.meta.url));
const SCHEMA = "recovery";

/** @returns milliseconds from the kill to the job's second start, for each run */
export async function recovery(url: string, runs: number): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-"));
  const cluster = await Cluster.connect({ modules: [WORK], url, schema: SCHEMA });
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const file = join(folder, String(run));
    const graph = cluster.graph();
    const job = graph.spawn(work.holdFirst, file);
    const doomed = startWorker(url);
    const submitted = await cluster.submit(graph);
    while (starts(file).length < 1) await delay(5);
    const other = startWorker(url);
    // So that it is ready, and the heartbeat of the first at a random point.
    await delay(3000 + 1000 * run);
    doomed.kill("SIGKILL");
    const killed = Date.now();
    await submitted.result(job);
    times.push(starts(file)[1] - killed);
    other.kill("SIGTERM");
  }
  await cluster.close();
  rmSync(folder, { recursive: true });
  return times;
}

function startWorker(url: string) {
  const args = [BIN, "worker", "--modules", fileURLToPath(WORK), "--threads", "1", "--schema", SCHEMA];
  return spawn(process.execPath, args, { env: { ...process.env, HEDDLE_URL: url }, stdio: "ignore" });
}

function starts(file: string): number[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
