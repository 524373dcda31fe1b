/** Through PgBouncer in transaction mode, where each transaction may have another session, and notifications are lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "heddle/cluster";
import { HANGS, until } from "../support/hangs.js";
import { LONG, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf } from "./support/clusters.js";
import { NO_PGBOUNCER, pgbouncer } from "./support/pgbouncer.js";
import { freshSchema } from "./support/postgres.js";

/** Longer than notifications are missed once more, if they are still waited for, in milliseconds: pg-boss looks every 10 seconds. */
const ONCE_MORE = 13_000;

test("a cluster works through PgBouncer in transaction mode", {
  ...HANGS,
  skip: NO_PGBOUNCER,
  ...(!LONG && ONLY_LONG),
}, async (t) => {
  const at = folder(t);
  const options = freshSchema();
  const pooled = { ...options, url: await pgbouncer(t, options.url!) };
  await Cluster.migrate(options);
  const errors: Error[] = [];
  const connect = async () => {
    const cluster = await Cluster.connect({ ...pooled, createSchema: false });
    t.after(() => cluster.close());
    cluster.on("error", (error) => errors.push(error));
    return cluster;
  };
  const [cluster, other] = [await connect(), await connect()];
  await other.startWorker({ threads: 2 });

  const use = async () => {
    const graph = cluster.graph();
    const parts = Array.from({ length: 200 }, (_, k) => graph.spawn(work.double, k));
    const sum = graph.spawn(work.sum, ...parts);
    const failing = graph.spawn(work.fail, "no").with({ retries: 1 });
    graph.spawn(work.nothing).after(failing, sum);
    const run = await cluster.submit(graph);
    assert.equal(await run.result(sum), 39_800);
    const { completed, failed } = await run.done;
    assert.deepEqual({ completed, failed }, { completed: 201, failed: 2 });
    await run.delete();
  };
  await use();
  // Each of the two says once that it hears nothing, and goes on.
  await until(() => errors.length === 2);
  for (const { message } of errors) assert.match(message, /notifications don't arrive.*pooler in transaction mode/);
  await use();

  const graph = cluster.graph();
  graph.spawn(work.until, at("go"), at("log"));
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  await run.cancel();
  await until(() => linesOf(at("log")).includes("stopped"));
  assert.equal((await run.done).state, "cancelled");
  await new Promise((resolve) => setTimeout(resolve, ONCE_MORE));
  assert.equal(errors.length, 2, errors.join("\n"));
  // Before PgBouncer ends.
  await Promise.all([cluster.close(), other.close()]);
});

test("PgBouncer: a cluster may also create its schema through it", { ...HANGS, skip: NO_PGBOUNCER }, async (t) => {
  const options = freshSchema();
  const cluster = await Cluster.connect({ ...options, url: await pgbouncer(t, options.url!) });
  t.after(() => cluster.close());
  await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  const sum = graph.spawn(work.add, 1, 2);
  assert.equal(await (await cluster.submit(graph)).result(sum), 3);
  await cluster.close();
});
