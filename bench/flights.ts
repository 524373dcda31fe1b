/** The flights example as a coarse, real workload: how much faster two threads are than one. */
import { readFileSync } from "node:fs";
import { JobSystem } from "heddle";
import { summaryGraph, WORK } from "../examples/flights/graph.js";
import type { Row } from "./rows.js";
import { counted } from "./runs.js";

const WARM_UPS = 3;
const INPUT = new URL("../../node_modules/vega-datasets/data/flights-200k.json", import.meta.url);

async function milliseconds(file: Uint8Array, threads: number): Promise<number[]> {
  const jobs = await JobSystem.create({ threads, modules: [WORK] });
  try {
    return await counted(WARM_UPS, async () => {
      const start = performance.now();
      await summaryGraph(jobs, file).summary;
      return performance.now() - start;
    });
  } finally {
    await jobs.shutdown();
  }
}

export async function flights(): Promise<Row[]> {
  const file = readFileSync(INPUT);
  const one = await milliseconds(file, 1);
  const two = await milliseconds(file, 2);
  return [
    { name: "flights, 1 thread", unit: "ms", samples: one },
    { name: "flights, 2 threads", unit: "ms", samples: two },
    { name: "flights, speed-up", unit: "times", samples: one.map((time, run) => time / two[run]) },
  ];
}
