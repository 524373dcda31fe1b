/**
 * `npm run bench:cluster [-- --threads N --runs N]`: graphs of empty jobs on a cluster, against pg-boss alone. On a real
 * server where HEDDLE_TEST_POSTGRES names one (scripts/with-postgres.sh starts one for it), and on the embedded database.
 */
import { parseArgs } from "node:util";
import { GRAPHS, LARGE } from "./cluster/graphs.js";
import { grouped, ours } from "./cluster/ours.js";
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

async function table(name: string, address: string | undefined): Promise<void> {
  console.log(
    `\n${name}, ${threads} threads, medians of ${runs} runs after one (large graphs: of ${FEW_RUNS}); milliseconds\n`,
  );
  const heads = ["pg-boss", "heddle", "jobs/s", "ratio"];
  console.log(`${"".padEnd(22)}${heads.map(cell).join("")}`);
  const large = address === undefined ? {} : LARGE;
  for (const [label, graph] of Object.entries({ ...GRAPHS, ...large })) {
    const each = 1 + (label in LARGE ? FEW_RUNS : runs);
    const other = median((await plain(address, graph, each)).slice(1));
    const own = median((await ours(address, graph, threads, each)).slice(1));
    const rate = cell(Math.round((1000 * graph.length) / own));
    console.log(`${label.padEnd(22)}${time(other)}${time(own)}${rate}${cell((own / other).toFixed(2))}`);
  }
}

async function groups(): Promise<void> {
  console.log("\n1,000,000 small jobs, by how many each job of the cluster runs locally\n");
  console.log(`${cell("each")}${cell("jobs")}${cell("ms")}${cell("small/s")}`);
  for (const each of [100, 1000, 10_000, 100_000]) {
    const jobs = 1_000_000 / each;
    const own = median((await grouped(url, jobs, each, threads, 4)).slice(1));
    console.log(`${cell(each)}${cell(jobs)}${time(own)}${cell(Math.round(1e9 / own))}`);
  }
}

if (url !== undefined) await table("PostgreSQL", url);
await table("embedded", undefined);
await groups();
if (url !== undefined) {
  const times = await recovery(url, 5);
  console.log(
    `\na killed worker's job runs elsewhere after ${times.map((each) => (each / 1000).toFixed(1)).join(", ")} s`,
  );
}
process.exit();
