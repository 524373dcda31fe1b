/** Submitting large graphs: in parts, all or nothing, while the event loop goes on. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { DependencyCycleError } from "heddle";
import { Cluster, type ClusterJob, InvalidGraphError, UnknownRunError } from "heddle/cluster";
import { PgBoss } from "pg-boss";
import { HANGS, until } from "../support/hangs.js";
import * as work from "./support/cluster-work.js";
import { folder, WORK } from "./support/clusters.js";
import { freshSchema, NO_SERVER, sameDatabase } from "./support/postgres.js";

const OPTIONS = { ...HANGS, skip: NO_SERVER };

/** Asks the server, not through the cluster. */
async function asking(t: TestContext, { url, schema }: ReturnType<typeof freshSchema>) {
  const boss = new PgBoss({ connectionString: url, schema, schedule: false, supervise: false });
  await boss.start();
  t.after(() => boss.stop({ graceful: false }));
  const query = async (text: string) => (await boss.getDb().executeSql(text)).rows;
  return { boss, query };
}

test("the event loop goes round while a large graph is written", HANGS, async (t) => {
  await using cluster = await Cluster.connect(sameDatabase(t));
  const graph = cluster.graph();
  const jobs = Array.from({ length: 15_000 }, (_, k) => graph.spawn(work.double, k));
  for (let k = 1; k < jobs.length; k += 2) jobs[k].after(jobs[k - 1]);
  let rounds = 0;
  let submitting = true;
  const round = () => {
    rounds++;
    if (submitting) setImmediate(round);
  };
  setImmediate(round);
  const run = await cluster.submit(graph);
  submitting = false;
  assert.ok(rounds >= 20, `${rounds} rounds`);
  assert.equal((await run.status()).jobs, 15_000);
});

test("a graph of many parts runs as it was made: arguments, edges between modules, results", HANGS, async (t) => {
  const second = folder(t)("second-work.mjs");
  writeFileSync(second, "export function next(job, n) { return (Math.imul(job.wait(), 31) + n) | 0; }");
  const { next } = (await import(pathToFileURL(second).href)) as { next: (job: never, n: number) => number };
  await using cluster = await Cluster.connect({ ...sameDatabase(t), modules: [WORK, second] });
  await cluster.startWorker({ threads: 2 });
  const graph = cluster.graph();
  const width = 400;
  let layer: ClusterJob<number>[] = Array.from({ length: width }, (_, k) => graph.spawn(work.double, k));
  let plain = Array.from({ length: width }, (_, k) => 2 * k);
  for (let n = 1; n <= 3; n++) {
    const [before, values] = [layer, plain];
    layer = before.map((job, k) => {
      if (n % 2 === 1) return graph.spawn(next, job as never, k);
      return graph.spawn(work.mix, k, false, ...[0, 1, 7].map((step) => before[(k + step) % width] as never));
    });
    plain = values.map((value, k) => {
      if (n % 2 === 1) return (Math.imul(value, 31) + k) | 0;
      return [0, 1, 7].reduce((mixed, step) => (Math.imul(mixed, 31) + values[(k + step) % width]) | 0, k);
    });
    // Edges without a result, too: more of them than are written at once.
    for (const [k, job] of layer.entries()) job.after(before[(k + 5) % width], before[(k + 9) % width]);
  }
  const large = Array.from({ length: 4 }, (_, k) => graph.spawn(work.echo, new Uint8Array(900_000).fill(k)));
  const run = await cluster.submit(graph);
  assert.deepEqual(await Promise.all(layer.map((job) => run.result(job))), plain);
  for (const [k, job] of large.entries()) {
    assert.deepEqual(await run.result(job), [new Uint8Array(900_000).fill(k)]);
  }
  assert.equal((await run.done).state, "completed");
});

test("a graph can't be changed while it is being submitted, and can afterwards", HANGS, async (t) => {
  await using cluster = await Cluster.connect(sameDatabase(t));
  const graph = cluster.graph();
  const [a, b] = [graph.spawn(work.nothing), graph.spawn(work.nothing)];
  const submitting = Promise.all([cluster.submit(graph), cluster.submit(graph)]);
  assert.throws(() => graph.spawn(work.nothing), InvalidGraphError);
  assert.throws(() => a.then(b), /being submitted/);
  assert.throws(() => b.with({ name: "b" }), /await cluster\.submit\(graph\)/);
  for (const run of await submitting) assert.equal((await run.status()).jobs, 2);
  a.then(b);
  b.then(a);
  await assert.rejects(cluster.submit(graph), DependencyCycleError);
  graph.spawn(work.nothing).with({ name: "c" });
});

test("jobs are written as pg-boss itself writes them", OPTIONS, async (t) => {
  const options = freshSchema();
  await using cluster = await Cluster.connect(options);
  const graph = cluster.graph();
  const first = graph.spawn(work.double, 1).with({ priority: "high", retries: 5 });
  const next = graph.spawn(work.double, 2).after(first);
  graph.spawn(work.double, 3).after(first, next).with({ priority: "low", retries: 0 });
  await cluster.submit(graph);
  const { boss, query } = await asking(t, options);
  const { schema } = options;
  const dependencies = () =>
    query(
      `SELECT child_name, parent_name, c.data AS child, p.data AS parent FROM ${schema}.job_dependency
      JOIN ${schema}.job c ON c.id = child_id JOIN ${schema}.job p ON p.id = parent_id ORDER BY c.priority, p.priority`,
    );
  const rows = () =>
    query(
      `SELECT to_jsonb(j) - '{id,created_on,start_after,keep_until}'::text[] AS columns,
        start_after = created_on AS at_once, (keep_until - created_on)::text AS kept
      FROM ${schema}.job AS j ORDER BY priority`,
    );
  const [ours, edges] = [await rows(), await dependencies()];
  assert.equal(ours.length, 3);
  assert.equal(edges.length, 3);
  await query(`DELETE FROM ${schema}.job_dependency`);
  await query(`DELETE FROM ${schema}.job`);
  const common = { retryDelay: 1, retryBackoff: true, retryDelayMax: 300, heartbeatSeconds: 60 };
  const { name } = ours[0].columns;
  const data = ours.map(({ columns }) => columns.data);
  await boss.flow([
    { ref: "a", name, data: data[2], options: { ...common, priority: 1, retryLimit: 5 } },
    { ref: "b", name, data: data[1], dependsOn: ["a"], options: { ...common, priority: 0, retryLimit: 2 } },
    { ref: "c", name, data: data[0], dependsOn: ["a", "b"], options: { ...common, priority: -1, retryLimit: 0 } },
  ]);
  assert.deepEqual(await rows(), ours);
  assert.deepEqual(await dependencies(), edges);
});

test("a submit whose connection is lost in the middle leaves nothing", OPTIONS, async (t) => {
  const options = freshSchema();
  await using cluster = await Cluster.connect(options);
  cluster.on("error", () => {});
  const { query } = await asking(t, options);
  const graph = cluster.graph();
  for (let k = 0; k < 50_000; k++) graph.spawn(work.double, k);
  const submitting = assert.rejects(cluster.submit(graph), (error) => !(error instanceof UnknownRunError));
  // Others see nothing of it before it ends; but the server shows what is being run.
  await until(async () => {
    const killed = await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE query LIKE 'INSERT INTO "${options.schema}".job (%' AND pid <> pg_backend_pid()`,
    );
    return killed.length > 0;
  });
  await submitting;
  assert.deepEqual(await cluster.runs(), []);
  assert.deepEqual(await query(`SELECT id FROM ${options.schema}.job LIMIT 1`), []);
  const run = await cluster.submit(graph);
  assert.equal((await run.status()).jobs, 50_000);
  assert.deepEqual(await query(`SELECT count(*)::int AS count FROM ${options.schema}.job`), [{ count: 50_000 }]);
});
