/** Names that PostgreSQL can't store are refused, and those of its own words can be used; a schema that is gone is told of. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { JobFailedError } from "heddle";
import { Cluster, ClusterSchemaError, UnknownRunError } from "heddle/cluster";
import { HANGS, settled, until } from "../support/hangs.js";
import { bound, LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf, WORK } from "./support/clusters.js";
import { freshSchema, NO_SERVER, sameDatabase, sql, startProcess, URL_OF_SERVER } from "./support/postgres.js";

const ON_SERVER = { ...HANGS, skip: NO_SERVER };
const UNSTORABLE: [text: string, pattern: RegExp][] = [
  ["a\0b", /character 2 is "\\u0000" \(NUL\)/],
  ["ab\ud800", /character 3 is "\\ud800" \(half of a surrogate pair/],
  ["\udc00\ud800", /character 1 is "\\udc00"/],
];

test("names that can't be stored are refused, before anything is written; values are not names", HANGS, async (t) => {
  const oddNames = new URL("./support/odd-names.js", import.meta.url);
  const cluster = await Cluster.connect({ ...sameDatabase(t), modules: [WORK, oddNames] });
  t.after(() => cluster.close());
  await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  const echoes = UNSTORABLE.map(([name]) => graph.spawn(work.echo, name));
  for (const [k, [name, message]] of UNSTORABLE.entries()) {
    const job = echoes[k];
    assert.throws(() => job.with({ name }), { name: "TypeError", message });
    await assert.rejects(cluster.submit(graph, { name }), { name: "TypeError", message });
    await assert.rejects(cluster.attach(name), TypeError);
  }
  const { "o\0ne": one } = await import(oddNames.href);
  assert.throws(() => graph.spawn(one), { name: "TypeError", message: /name of an export.*character 2/ });
  await assert.rejects(Cluster.connect({ modules: [WORK], url: "postgres://u@h/a%00b" }), /url must be/);
  assert.deepEqual(await cluster.runs(), []);

  const whole = "🦆 \u2028 \u0001";
  const last = graph.spawn(work.fail, "\ud800 \0").with({ name: whole, retries: 0 });
  const run = await cluster.submit(graph, { name: whole });
  const values = await Promise.all(echoes.map((job) => run.result(job)));
  assert.deepEqual(
    values,
    UNSTORABLE.map(([name]) => [name]),
  );
  await assert.rejects(run.result(last), (error: Error) => {
    assert.ok(error instanceof JobFailedError && error.job === whole);
    assert.equal((error.cause as Error).message, "\ud800 \0");
    return true;
  });
  assert.equal((await run.status()).name, whole);
  for (const [name] of UNSTORABLE) await assert.rejects(run.result(name), /has no job called/);
});

/** What touches every statement: results, retries, failures, cancelling, listing, deleting, jobs that are given back. */
async function useAll(cluster: Cluster, at: (name: string) => string): Promise<void> {
  const errors: Error[] = [];
  cluster.on("error", (error) => errors.push(error));
  const worker = await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  const tried = graph.spawn(work.flaky, at("tries"), 2);
  const sum = graph.spawn(work.sum, tried, graph.spawn(work.add, 1, 2));
  const failing = graph.spawn(work.fail, "no").with({ retries: 0 });
  const after = graph.spawn(work.nothing).after(failing);
  const run = await cluster.submit(graph, { name: "all" });
  assert.equal(await run.result(sum), 5);
  await assert.rejects(run.result(after), { name: "DependencyFailedError" });
  const { completed, failed } = await run.done;
  assert.deepEqual({ completed, failed }, { completed: 3, failed: 2 });
  assert.deepEqual((await (await cluster.attach(run.id)).status()).waitingFor, []);

  const other = cluster.graph();
  other.spawn(work.until, at("never"), at("log"));
  other.spawn(work.holdThread, at("go"), at("held"));
  other.spawn(work.add, 1, 1);
  const cancelled = await cluster.submit(other);
  await until(() => linesOf(at("held")).length === 1);
  // What has not begun on the thread that is held is given back.
  const stopped = worker.stop({ timeout: 100 });
  await cancelled.cancel();
  await stopped;
  assert.equal((await cancelled.done).state, "cancelled");
  assert.equal((await cluster.runs()).length, 2);
  await cancelled.delete();
  assert.equal((await cluster.runs()).length, 1);
  assert.deepEqual(errors, []);
}

// On a server the next test is the same.
for (const schema of URL_OF_SERVER === undefined || LONG ? bound(["select"], ["user", "select"]) : []) {
  test(`a schema may be called "${schema}", embedded`, HANGS, async (t) => {
    const cluster = await Cluster.connect({ modules: [WORK], schema });
    t.after(() => cluster.close());
    await useAll(cluster, folder(t));
  });
}

test('a schema may be called "order", on a server, and a worker process find it', ON_SERVER, async (t) => {
  const options = { modules: [WORK], url: URL_OF_SERVER, schema: "order" };
  const cluster = await Cluster.connect(options);
  t.after(async () => {
    await cluster.close();
    sql('DROP SCHEMA "order" CASCADE');
  });
  await useAll(cluster, folder(t));
  await startProcess(t, options.schema);
  const other = await Cluster.connect(options);
  t.after(() => other.close());
  const graph = other.graph();
  const sum = graph.spawn(work.add, 1, 2);
  assert.equal(await (await other.submit(graph)).result(sum), 3);
});

test("a schema that was dropped: calls say so, workers once, and all goes on when it is back", ON_SERVER, async (t) => {
  const at = folder(t);
  const options = freshSchema();
  const cluster = await Cluster.connect(options);
  t.after(() => cluster.close());
  const errors: Error[] = [];
  cluster.on("error", (error) => errors.push(error));
  await cluster.startWorker({ threads: 2 });
  const graph = cluster.graph();
  const held = graph.spawn(work.until, at("go"), at("log"));
  const lost = await cluster.submit(graph);
  const waiting = assert.rejects(lost.result(held), UnknownRunError);
  await until(() => linesOf(at("log")).length === 1);

  sql(`DROP SCHEMA ${options.schema} CASCADE`);
  const gone = (error: unknown) => {
    assert.ok(error instanceof ClusterSchemaError, String(error));
    assert.equal(error.schema, options.schema);
    assert.match(error.message, new RegExp(`schema "${options.schema}" is not in the database.*heddle migrate`));
    return true;
  };
  const again = cluster.graph();
  const sum = again.spawn(work.add, 1, 2);
  await assert.rejects(cluster.submit(again), gone);
  await assert.rejects(cluster.runs(), gone);
  await assert.rejects(lost.status(), gone);
  await assert.rejects(lost.cancel(), gone);
  await assert.rejects(lost.delete(), gone);
  await assert.rejects(cluster.attach(`${"1".repeat(8)}-1111-1111-1111-${"1".repeat(4)}${"0".repeat(8)}`), gone);
  // Its result can't be written; it is asked for, looked for, and supervised meanwhile, again and again.
  writeFileSync(at("go"), "");
  await new Promise((resolve) => setTimeout(resolve, 7000));
  assert.equal(errors.length, 1, errors.join("\n"));
  gone(errors[0]);

  const other = await Cluster.connect(options);
  t.after(() => other.close());
  await waiting;
  assert.equal(await (await cluster.submit(again)).result(sum), 3);
  const more = other.graph();
  const last = more.spawn(work.add, 3, 4);
  assert.equal(await (await other.submit(more)).result(last), 7);
  assert.equal(errors.length, 1, errors.join("\n"));
});

test("a schema that is there under another name for a while: no result is lost", ON_SERVER, async (t) => {
  const at = folder(t);
  const options = freshSchema();
  const cluster = await Cluster.connect(options);
  t.after(() => cluster.close());
  const told = once(cluster, "error");
  await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  const job = graph.spawn(work.until, at("go"), at("log")).with({ retries: 0 });
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  sql(`ALTER SCHEMA ${options.schema} RENAME TO ${options.schema}_away`);
  writeFileSync(at("go"), "");
  await settled(told, "the error");
  // It tries to write the result meanwhile, more than once.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  sql(`ALTER SCHEMA ${options.schema}_away RENAME TO ${options.schema}`);
  assert.equal(await run.result(job), "went");
});
