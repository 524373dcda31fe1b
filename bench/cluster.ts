/**
 * `npm run bench:cluster [-- --threads N --runs N]`: graphs of empty jobs on a cluster, against pg-boss alone. On a real
 * server where HEDDLE_TEST_POSTGRES names one (scripts/with-postgres.sh starts one for it), and on the embedded database.
 */
import { parseArgs } from "node:util";
import { GRAPHS, LARGE } from "./cluster/graphs.js";
import { ours } from "./cluster/ours.js";
import { plain } from "./cluster/plain.js";
import { recovery } from "./cluster/recovery.js";
import { quantile } from "./rows.js";

const text = { type: "string" } as const;
const { values } = parseArgs({ options: { threads: text, runs: text } });
const threads = Number(values.threads ?? 2);
const runs = Number(values.runs ?? 5);
const url = process.env.HEDDLE_TEST_POSTGRES;

/** Of large graphs. */
const FEW_RUNS = 2;

const median = (times: readonly number[]) =>
  quantile(
    [...times].sort((a, b) => a - b),
    0.5,
  );
const cell = (value: string | number) => String(value).padStart(12);
const time = (milliseconds: number) => cell(milliseconds.toFixed(0));

/** @returns milliseconds of each of several runs after a first one, of all that are given, in turn */
async function timed(count: number, ...all: (() => Promise<void>)[]): Promise<number[][]> {
  const times: number[][] = all.map(() => []);
  for (let run = 0; run <= count; run++) {
    for (const [k, each] of all.entries()) {
      const start = performance.now();
      await each();
      if (run > 0) times[k].push(performance.now() - start);
    }
  }
  return times;
}

async function table(name: string, address: string | undefined): Promise<void> {
  console.log(`\n${name}, ${threads} threads, medians of ${runs} runs in turn (large: ${FEW_RUNS}); milliseconds\n`);
  const heads = ["pg-boss", "heddle", "jobs/s", "ratio"];
  console.log(`${"".padEnd(22)}${heads.map(cell).join("")}`);
  const large = address === undefined ? {} : LARGE;
  const [boss, heddle] = [await plain(address), await ours(address, threads)];
  for (const [label, graph] of Object.entries({ ...GRAPHS, ...large })) {
    const count = label in LARGE ? FEW_RUNS : runs;
    const times = await timed(
      count,
      () => boss.run(graph),
      () => heddle.run(graph),
    );
    const [other, own] = times.map(median);
    const rate = cell(Math.round((1000 * graph.length) / own));
    console.log(`${label.padEnd(22)}${time(other)}${time(own)}${rate}${cell((own / other).toFixed(2))}`);
  }
  await Promise.all([boss.close(), heddle.close()]);
}

async function groups(): Promise<void> {
  console.log("\n1,000,000 small jobs, by how many each job of the cluster runs locally\n");
  console.log(`${cell("each")}${cell("jobs")}${cell("ms")}${cell("small/s")}`);
  const heddle = await ours(url, threads);
  for (const each of [100, 1000, 10_000, 100_000]) {
    const jobs = 1_000_000 / each;
    const [times] = await timed(3, () => heddle.grouped(jobs, each));
    const own = median(times);
    console.log(`${cell(each)}${cell(jobs)}${time(own)}${cell(Math.round(1e9 / own))}`);
  }
  await heddle.close();
}

if (url !== undefined) await table("PostgreSQL", url);
await groups();
await table("embedded", undefined);
if (url !== undefined) {
  const times = await recovery(url, 5);
  console.log(
    `\na killed worker's job runs elsewhere after ${times.map((each) => (each / 1000).toFixed(1)).join(", ")} s`,
  );
}
process.exit();
