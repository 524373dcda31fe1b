/** Flight delays by hour and by distance, computed by a graph of jobs. `--help` tells the options. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Job, JobFailedError, JobSystem } from "heddle";
import { chart } from "./chart.js";
import { summaryGraph, WORK } from "./graph.js";
import type { Summary } from "./summary.js";

const HELP = `Computes delays of flights by hour of day and by distance.
  --threads N    worker threads, 1 to 256 (default: what the machine can run at once)
  --input FILE   a JSON array of { delay, distance, time } (default: the real flights of vega-datasets)
  --output FILE  where the chart goes, as SVG (default: build/flights.svg)`;
const ROOT = new URL("../../../", import.meta.url);
const COUNTED_RUNS = 3;

interface Options {
  readonly threads: number;
  readonly input: string;
  readonly output: string;
}

/** Something is wrong with what the user gave. */
class UsageError extends Error {}

function readOptions(): Options | undefined {
  let values: { threads?: string; input?: string; output?: string; help?: boolean };
  const text = { type: "string" } as const;
  try {
    ({ values } = parseArgs({ options: { threads: text, input: text, output: text, help: { type: "boolean" } } }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (values.help) return undefined;
  const threads = Number(values.threads ?? availableParallelism());
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new UsageError(`--threads must be a whole number from 1 to 256, not "${values.threads}"`);
  }
  return {
    threads,
    input: values.input ?? fileURLToPath(new URL("node_modules/vega-datasets/data/flights-200k.json", ROOT)),
    output: values.output ?? fileURLToPath(new URL("build/flights.svg", ROOT)),
  };
}

function readInput(input: string): Uint8Array {
  try {
    return readFileSync(input);
  } catch (error) {
    throw new UsageError(`--input cannot be read: ${(error as Error).message}`);
  }
}

function writeChart(output: string, svg: string): void {
  try {
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, svg);
  } catch (error) {
    throw new UsageError(`--output cannot be written: ${(error as Error).message}`);
  }
}

/** Shows how many of the jobs are done: a bar on a terminal, else a few lines. */
function showProgress(label: string, steps: readonly Job<unknown>[]): void {
  let done = 0;
  const terminal = process.stderr.isTTY;
  for (const step of steps) {
    step.then(
      () => {
        done++;
        const share = done / steps.length;
        if (terminal) {
          const bar = "█".repeat(Math.round(share * 30)).padEnd(30, "░");
          process.stderr.write(`\r${label} ${bar} ${done}/${steps.length} jobs${done === steps.length ? "\n" : ""}`);
        } else if (done === steps.length) {
          process.stderr.write(`${label} ${done}/${steps.length} jobs\n`);
        }
      },
      () => {},
    );
  }
}

/** Runs the graph, once to warm up and then a few times. @returns the summary and the median time in milliseconds */
async function measure(file: Uint8Array, threads: number): Promise<{ summary: Summary; time: number }> {
  const jobs = await JobSystem.create({ threads, modules: [WORK] });
  try {
    const first = summaryGraph(jobs, file);
    showProgress(`${threads} thread${threads === 1 ? " " : "s"}`, first.steps);
    const summary = await first.summary;
    const times: number[] = [];
    for (let run = 0; run < COUNTED_RUNS; run++) {
      const start = performance.now();
      await summaryGraph(jobs, file).summary;
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    return { summary, time: times[times.length >> 1] };
  } finally {
    await jobs.shutdown();
  }
}

function printTable(summary: Summary): void {
  const cell = (value: number, digits: number) => (Number.isFinite(value) ? value.toFixed(digits) : "–").padStart(9);
  console.log(`\n${summary.flights.toLocaleString("en")} flights; delays in minutes\n`);
  console.log(" hour  flights     mean   median      p99");
  summary.hours.forEach((hour, h) => {
    const row = [cell(hour.flights, 0), cell(hour.mean, 1), cell(hour.median, 0), cell(hour.p99, 0)];
    console.log(`${String(h).padStart(5)}${row.join("")}`);
  });
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) {
    console.log(HELP);
    return;
  }
  const file = readInput(options.input);
  const one = await measure(file, 1);
  const many = options.threads === 1 ? one : await measure(file, options.threads);
  printTable(many.summary);
  writeChart(options.output, chart(many.summary));
  console.log(`\nchart: ${relative(process.cwd(), options.output)}`);
  const ratio = one.time / many.time;
  console.log(
    `1 thread ${one.time.toFixed(0)} ms, ${options.threads} threads ${many.time.toFixed(0)} ms: ${ratio.toFixed(2)} times as fast (medians of ${COUNTED_RUNS} runs)`,
  );
}

/** The message of what was thrown in the first place. */
function rootMessage(error: Error): string {
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof JobFailedError)) throw error;
  console.error(
    error instanceof UsageError ? error.message : `--input is not an array of flights: ${rootMessage(error)}`,
  );
  process.exitCode = 1;
}
