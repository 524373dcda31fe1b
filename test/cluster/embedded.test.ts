/** What the embedded database needs that a server does by itself, and where no other process is there to do it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Cluster } from "heddle/cluster";
import { HANGS, until } from "../support/hangs.js";
import { LONG, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf, WORK } from "./support/clusters.js";

const part = (name: string) => import(new URL(`../../src/cluster/${name}.js`, import.meta.url).href);
const { Database }: typeof import("../../dist/cluster/database.js") = await part("database");
const { Vacuum }: typeof import("../../dist/cluster/vacuum.js") = await part("vacuum");
const { checkClusterOptions }: typeof import("../../dist/cluster/options.js") = await part("options");

test("old versions of rows are vacuumed away", { ...HANGS, ...ONLY_LONG }, async (t) => {
  const errors: Error[] = [];
  const report = (error: Error) => errors.push(error);
  const database = await Database.open(checkClusterOptions({ modules: [WORK] }), report);
  t.after(() => database.close());
  const dead = async () => {
    const [{ count }] = await database.query<{ count: number }>(
      "SELECT pg_stat_get_dead_tuples('heddle.\"Odd\"'::regclass)::int AS count",
    );
    return count;
  };
  await database.query('CREATE TABLE heddle."Odd" (n int)');
  await database.query('INSERT INTO heddle."Odd" SELECT generate_series(1, 2000)');
  await database.query('UPDATE heddle."Odd" SET n = n + 1');
  // It is counted with some delay.
  await until(async () => (await dead()) === 2000);
  const vacuum = new Vacuum(database, report, 20);
  await until(async () => (await dead()) === 0);
  await vacuum.close();
  assert.deepEqual(errors, []);
});

const PROGRAM = `
import { Cluster } from "heddle/cluster";
const [url, directory, go, file] = process.argv.slice(1);
const work = await import(url);
const cluster = await Cluster.connect({ modules: [new URL(url)], directory });
await cluster.startWorker({ threads: 1 });
const graph = cluster.graph();
graph.spawn(work.until, go, file).with({ name: "job" });
await cluster.submit(graph);
`;

test("the job of a process that was killed is run by the next one that has the database", {
  ...HANGS,
  ...(!LONG && ONLY_LONG),
}, async (t) => {
  const path = folder(t);
  const [directory, go, file] = ["data", "go", "started"].map(path);
  const args = ["--input-type=module", "-e", PROGRAM, WORK.href, directory, go, file];
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL("../../..", import.meta.url)),
    stdio: "inherit",
  });
  t.after(() => child.kill("SIGKILL"));
  const exited = new Promise((resolve) => child.once("exit", resolve));
  await until(() => linesOf(file).length === 1);
  child.kill("SIGKILL");
  await exited;
  writeFileSync(go, "");
  await using cluster = await Cluster.connect({ modules: [WORK], directory });
  await cluster.startWorker({ threads: 1 });
  const [{ id }] = await cluster.runs();
  assert.equal(await (await cluster.attach(id)).result("job"), "went");
  assert.equal(linesOf(file).length, 2);
});

test("a worker that has been idle for long begins what is submitted, and what is to be tried again", {
  ...HANGS,
  ...ONLY_LONG,
}, async (t) => {
  const file = folder(t)("tries");
  await using cluster = await Cluster.connect({ modules: [WORK] });
  await cluster.startWorker({ threads: 1 });
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const graph = cluster.graph();
  const job = graph.spawn(work.flaky, file, 2);
  assert.equal(await (await cluster.submit(graph)).result(job), 2);
});
