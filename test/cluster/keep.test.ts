/** What is kept: for how long runs are, how they are listed, and what holds for the whole cluster. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { PayloadTooLargeError } from "heddle";
import { Cluster, type Run, UnknownRunError } from "heddle/cluster";
import { PgBoss } from "pg-boss";
import { HANGS, settled, until } from "../support/hangs.js";
import * as work from "./support/cluster-work.js";
import { folder, WORK } from "./support/clusters.js";
import { freshSchema, NO_SERVER, sameDatabase, sql, startProcess } from "./support/postgres.js";

const OPTIONS = { ...HANGS, skip: NO_SERVER };

async function submit(cluster: Cluster, jobs = 1, name?: string): Promise<Run> {
  const graph = cluster.graph();
  for (let k = 0; k < jobs; k++) graph.spawn(work.double, k);
  return await cluster.submit(graph, { name });
}

/** How many outcomes there are, of whatever run. */
async function outcomesIn(options: ReturnType<typeof sameDatabase>): Promise<number> {
  if ("schema" in options) return Number(sql(`SELECT count(*) FROM ${options.schema}.heddle_outcome`));
  const database = await PGlite.create(options.directory);
  const { rows } = await database.query("SELECT 1 FROM heddle.heddle_outcome");
  await database.close();
  return rows.length;
}

const idsOf = async (runs: Promise<{ id: string }[]>) => (await runs).map(({ id }) => id);

test("workers delete runs that ended long ago, with their results, and no others", HANGS, async (t) => {
  const path = folder(t);
  const options = sameDatabase(t);
  const cluster = await Cluster.connect({ ...options, keep: "2s" });
  const errors: Error[] = [];
  cluster.on("error", (error) => errors.push(error));
  // Larger than what is deleted at once.
  const large = await submit(cluster, 6000);
  await large.cancel();
  await large.done;
  const watched = await cluster.attach(large.id);
  await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  graph.spawn(work.until, path("go"), path("started"));
  const running = await cluster.submit(graph);
  const short = await submit(cluster, 3);
  await short.done;
  await until(async () => (await cluster.runs()).length === 1);
  assert.deepEqual(await idsOf(cluster.runs()), [running.id]);
  await assert.rejects(settled(watched.done, "the end of a deleted run"), UnknownRunError);
  await assert.rejects(short.status(), UnknownRunError);
  writeFileSync(path("go"), "");
  await running.done;
  await until(async () => (await cluster.runs()).length === 0);
  await cluster.close();
  assert.deepEqual(errors, []);
  assert.equal(await outcomesIn(options), 0);
});

test("without keep, nothing is deleted", HANGS, async (t) => {
  const options = sameDatabase(t);
  const first = await Cluster.connect(options);
  await first.startWorker({ threads: 1 });
  const run = await submit(first);
  await run.done;
  await first.close();
  // Without a worker, nothing is either.
  await using cluster = await Cluster.connect({ ...options, keep: "1s" });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.deepEqual(await idsOf(cluster.runs()), [run.id]);
});

test("workers of several processes delete runs, each once", OPTIONS, async (t) => {
  const options = freshSchema();
  await using cluster = await Cluster.connect(options);
  await startProcess(t, options.schema);
  const runs = await Promise.all(Array.from({ length: 250 }, () => submit(cluster, 3)));
  await Promise.all(runs.map((run) => run.done));
  assert.equal((await cluster.runs({ limit: 1000 })).length, 250);
  await startProcess(t, options.schema, 1, "--keep", "1s");
  await using other = await Cluster.connect({ ...options, keep: "1.5s" });
  const errors: Error[] = [];
  other.on("error", (error) => errors.push(error));
  await other.startWorker({ threads: 1 });
  await until(async () => (await cluster.runs()).length === 0);
  assert.deepEqual(errors, []);
});

test("runs are listed by state, by time, and page by page", HANGS, async (t) => {
  const path = folder(t);
  await using cluster = await Cluster.connect(sameDatabase(t));
  await cluster.startWorker({ threads: 1 });
  const runs: Run[] = [];
  for (let k = 0; k < 9; k++) {
    const graph = cluster.graph();
    if (k % 3 === 0) graph.spawn(work.double, k);
    else if (k % 3 === 1) graph.spawn(work.fail, "this").with({ retries: 0 });
    else graph.spawn(work.until, path("go"), path("started"));
    runs.push(await cluster.submit(graph));
  }
  await runs[2].cancel();
  await Promise.all(runs.filter((_, k) => k % 3 !== 2).map((run) => run.done));
  const all = runs.map(({ id }) => id).reverse();
  assert.deepEqual(await idsOf(cluster.runs()), all);
  const of = (...numbers: number[]) => numbers.map((k) => runs[k].id);
  assert.deepEqual(await idsOf(cluster.runs({ state: "completed" })), of(6, 3, 0));
  assert.deepEqual(await idsOf(cluster.runs({ state: "failed" })), of(7, 4, 1));
  assert.deepEqual(await idsOf(cluster.runs({ state: "cancelled" })), of(2));
  assert.deepEqual(await idsOf(cluster.runs({ state: "running" })), of(8, 5));
  assert.deepEqual(await idsOf(cluster.runs({ state: "failed", after: runs[7].id, limit: 1 })), of(4));
  const paged: string[] = [];
  for (let after: string | undefined; ; after = paged.at(-1)) {
    const page = await cluster.runs({ after, limit: 2 });
    if (page.length === 0) break;
    assert.ok(page.length <= 2);
    paged.push(...page.map(({ id }) => id));
  }
  assert.deepEqual(paged, all);
  const { submitted } = (await cluster.runs()).find(({ id }) => id === runs[4].id)!;
  const before = await cluster.runs({ before: submitted });
  assert.ok(before.every((run) => run.submitted < submitted));
  assert.deepEqual(
    before.map(({ id }) => id),
    all.slice(-before.length),
  );
  assert.ok(before.length <= 4);
  assert.deepEqual(await cluster.runs({ before: new Date(0) }), []);
  assert.equal((await cluster.runs({ before: new Date(Date.now() + 60_000) })).length, 9);
  await runs[0].delete();
  await assert.rejects(cluster.runs({ after: runs[0].id }), UnknownRunError);
  await assert.rejects(cluster.runs({ after: "x" }), /after must be the id/);
  await assert.rejects(cluster.runs({ before: new Date(Number.NaN) }), /before must be a Date/);
  await assert.rejects(cluster.runs({ before: 7 as never }), /before must be a Date/);
  await assert.rejects(cluster.runs({ state: "done" as never }), /state must be one of running, completed/);
  writeFileSync(path("go"), "");
});

test("a time to keep runs for that is none is refused", HANGS, async () => {
  const bad = async (keep: unknown, kind: new () => Error) =>
    assert.rejects(Cluster.connect({ modules: [WORK], keep: keep as never }), (error) => {
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, /keep must be a time such as "90s", "30m", "12h" or "7d".* not /);
      return true;
    });
  await bad("7", TypeError);
  await bad("7 weeks", TypeError);
  await bad("-7d", TypeError);
  await bad("", TypeError);
  await bad(null, TypeError);
  await bad({}, TypeError);
  await bad("10ms", RangeError);
  await bad("10001d", RangeError);
  await bad(0, RangeError);
  await bad(Number.NaN, RangeError);
  await bad(Number.POSITIVE_INFINITY, RangeError);
});

test("maxValueBytes is the cluster's: it is kept in the database", HANGS, async (t) => {
  const options = sameDatabase(t);
  const size = 2 ** 20 + 1000;
  const spawn = (cluster: Cluster) => cluster.graph().spawn(work.echo, new Uint8Array(size));
  const first = await Cluster.connect(options);
  assert.throws(() => spawn(first), PayloadTooLargeError);
  await first.close();
  const setting = await Cluster.connect({ ...options, maxValueBytes: 2 ** 21 });
  spawn(setting);
  await setting.close();
  await using later = await Cluster.connect(options);
  spawn(later);
});

test("workers that were started without maxValueBytes take that of whoever sets it later", OPTIONS, async (t) => {
  const options = freshSchema();
  await startProcess(t, options.schema);
  await using before = await Cluster.connect(options);
  await using cluster = await Cluster.connect({ ...options, maxValueBytes: 2 ** 22 });
  const graph = cluster.graph();
  const bytes = new Uint8Array(3 * 2 ** 20).fill(7);
  const echoed = graph.spawn(work.echo, bytes).with({ retries: 0 });
  const again = graph.spawn(work.echoResult, echoed);
  const run = await cluster.submit(graph);
  assert.deepEqual(await run.result(again), [bytes]);
  await until(() => {
    try {
      before.graph().spawn(work.echo, bytes);
      return true;
    } catch {
      return false;
    }
  });
});

test("tables of version 0.1 get what they lack", OPTIONS, async (t) => {
  const options = freshSchema();
  const old = await Cluster.connect(options);
  const run = await submit(old);
  await old.close();
  const boss = new PgBoss({ connectionString: options.url, schema: options.schema, schedule: false, supervise: false });
  await boss.start();
  t.after(() => boss.stop({ graceful: false }));
  const query = async (text: string) => (await boss.getDb().executeSql(text)).rows;
  const { schema } = options;
  await query(
    `DROP TABLE ${schema}.heddle_cluster; DROP INDEX ${schema}.heddle_run_state; DROP INDEX ${schema}.heddle_run_ended`,
  );
  const clusters = await Promise.all([1, 2, 3].map(() => Cluster.connect({ ...options, maxValueBytes: 5000 })));
  for (const each of clusters) assert.deepEqual(await idsOf(each.runs({ state: "running" })), [run.id]);
  await Promise.all(clusters.map((each) => each.close()));
  assert.deepEqual(await query(`SELECT max_value_bytes FROM ${schema}.heddle_cluster`), [{ max_value_bytes: 5000 }]);
  assert.equal(
    (
      await query(
        `SELECT 1 FROM pg_indexes WHERE schemaname = '${schema}' AND indexname ~ '^heddle_run_(state|ended)$'`,
      )
    ).length,
    2,
  );
});
