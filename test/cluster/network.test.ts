/** Networks that swallow what they are given, close half of a connection, or are slow; and a worker whose main thread is busy. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Cluster, type ClusterJob } from "heddle/cluster";
import { HANGS, settled, until } from "../support/hangs.js";
import { LONG, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf } from "./support/clusters.js";
import { lossyProxy } from "./support/lossy-proxy.js";
import { freshSchema, NO_SERVER, startProcess, URL_OF_SERVER } from "./support/postgres.js";

const { Server }: typeof import("../../dist/cluster/server.js") = await import(
  new URL("../../src/cluster/server.js", import.meta.url).href
);

const OPTIONS = { ...HANGS, skip: NO_SERVER };
/** It takes some seconds until silence is noticed. */
const LONG_OPTIONS = { ...OPTIONS, ...(!LONG && ONLY_LONG) };
const SILENT = /the database has not answered for \d+ seconds: the connection was dropped/;

/** A cluster behind the proxy: one that has a worker, and one that submits. */
async function behindProxy(t: TestContext) {
  const options = freshSchema();
  const proxy = await lossyProxy(t, options.url!);
  const errors: string[] = [];
  const connect = async () => {
    const cluster = await Cluster.connect({ ...options, url: proxy.url });
    cluster.on("error", ({ message }) => errors.push(message));
    t.after(() => cluster.close());
    return cluster;
  };
  const worker = await (await connect()).startWorker({ threads: 2 });
  return { proxy, errors, worker, cluster: await connect(), options };
}

/** Layers of jobs that take some time, each of which reads one of the layer before; they note each attempt. */
function layered(cluster: Cluster, file: string) {
  const graph = cluster.graph();
  const jobs: ClusterJob<unknown>[] = [];
  for (let k = 0; k < 120; k++) {
    const job =
      k < 10 ? graph.spawn(work.mixSlowly, k, false) : graph.spawn(work.mixSlowly, k, false, jobs[k - 10] as never);
    jobs.push(job.with({ retries: 20 }));
  }
  jobs.push(graph.spawn(work.note, file, "end").after(...jobs));
  return { graph, jobs };
}

test("a network that swallows all for a while: it is noticed, and runs go on", LONG_OPTIONS, async (t) => {
  const { proxy, errors, cluster } = await behindProxy(t);
  const { graph, jobs } = layered(cluster, folder(t)("log"));
  const run = await cluster.submit(graph);
  await until(async () => (await run.status()).completed > 30);
  const done = run.done;
  const network = proxy.swallow();
  await until(() => errors.some((message) => SILENT.test(message)));
  // All that were there then, and some that were made meanwhile.
  const swallowed = network.swallowed();
  await until(() => network.givenUp() > swallowed);
  network.end();
  const { state, completed } = await settled(done, "the run");
  assert.deepEqual({ state, completed }, { state: "completed", completed: jobs.length });
});

test("a commit is swallowed: what it has locked on the server keeps nobody waiting", LONG_OPTIONS, async (t) => {
  const { proxy, errors, cluster } = await behindProxy(t);
  const graph = cluster.graph();
  const last = graph.spawn(work.double, 3).after(graph.spawn(work.add, 1, 2));
  let commits = 0;
  // The first one is that of the submission, the second one the worker's.
  const network = proxy.swallow((sent) => sent.length < 20 && sent.includes("COMMIT") && ++commits === 2);
  const run = await cluster.submit(graph);
  assert.equal(await settled(run.result(last), "the run"), 6);
  assert.deepEqual([network.swallowed(), network.givenUp()], [1, 1]);
  assert.ok(errors.some((message) => SILENT.test(message)));
});

test("a network that is slow, and connections that are half closed, cost nothing but time", OPTIONS, async (t) => {
  const { proxy, cluster } = await behindProxy(t);
  const { graph, jobs } = layered(cluster, folder(t)("log"));
  const run = await cluster.submit(graph);
  proxy.delay(30);
  await until(async () => (await run.status()).completed > 10);
  proxy.halfClose();
  await until(async () => {
    const status = await run.status().catch(() => undefined);
    return status !== undefined && status.completed > 40;
  });
  proxy.halfClose();
  proxy.delay(0);
  const { state, completed } = await settled(run.done, "the run");
  assert.deepEqual({ state, completed }, { state: "completed", completed: jobs.length });
});

test(
  "what the server works at is waited for, however long it takes and whatever this thread does",
  LONG_OPTIONS,
  async (t) => {
    const server = await Server.open(URL_OF_SERVER!, "channel", (error) => errors.push(error));
    const errors: Error[] = [];
    t.after(() => server.close());
    const asked = server.executeSql("SELECT 1 AS n FROM pg_sleep(20)");
    const locked = server.transaction(async (sql) => {
      await sql.executeSql("SELECT pg_advisory_xact_lock(1)");
      await sql.executeSql("SELECT pg_sleep(20)");
    });
    const waits = server.transaction((sql) => sql.executeSql("SELECT pg_advisory_xact_lock(1)"));
    await server.executeSql("SELECT pg_sleep(5)");
    const end = performance.now() + 15_000;
    while (performance.now() < end);
    assert.equal((await asked).rows[0].n, 1);
    await Promise.all([locked, waits]);
    assert.deepEqual(errors, []);
  },
);

test("a worker stops in time though the network is silent; its jobs are run by others", OPTIONS, async (t) => {
  const { proxy, errors, worker, cluster, options } = await behindProxy(t);
  const at = folder(t);
  const graph = cluster.graph();
  graph.spawn(work.until, at("go"), at("started")).with({ retries: 1 });
  const ended = graph.spawn(work.add, 1, 2);
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("started")).length === 1);
  proxy.swallow();
  await settled(worker.stop({ timeout: 100 }), "the stop");
  // Else it would try to write three times, and wait each time until the silence is noticed.
  assert.ok(errors.filter((message) => SILENT.test(message)).length < 3, errors.join("\n"));
  if (!LONG) return;
  writeFileSync(at("go"), "");
  await using able = await Cluster.connect(options);
  await able.startWorker({ threads: 1 });
  const attached = await able.attach(run.id);
  assert.equal((await settled(attached.done, "the run")).state, "completed");
  // The first one is asked to stop, and may have said so.
  assert.equal(linesOf(at("started")).filter((line) => line === "started").length, 2);
  assert.equal(await attached.result(ended), 3);
});

test("a statement that is lost is given up, and idle connections with it; others go on", LONG_OPTIONS, async (t) => {
  const proxy = await lossyProxy(t, URL_OF_SERVER!);
  const errors: Error[] = [];
  const server = await Server.open(proxy.url, "channel", (error) => errors.push(error));
  t.after(() => server.close());
  const pid = async () => (await server.executeSql("SELECT pg_backend_pid() AS pid")).rows[0].pid;
  const long = server.executeSql("SELECT 1 AS n FROM pg_sleep(25)");
  await Promise.all([pid(), pid(), pid()]);
  const network = proxy.swallow((sent) => sent.includes("swallow me"));
  await assert.rejects(server.executeSql("SELECT 'swallow me'"), SILENT);
  assert.equal(network.swallowed(), 1);
  await until(() => network.givenUp() === 1);
  assert.equal((await long).rows[0].n, 1);
});

test("a worker whose main thread is kept by user code keeps its job", LONG_OPTIONS, async (t) => {
  const at = folder(t);
  const options = freshSchema();
  const cluster = await Cluster.connect(options);
  t.after(() => cluster.close());
  const program = fileURLToPath(new URL("./support/blocked-program.js", import.meta.url));
  const child = spawn(process.execPath, [program, options.schema, at("log")], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const output: string[] = [];
  child.stdout.on("data", (data) => output.push(String(data)));
  await until(() => output.join("").includes("ready"));
  const graph = cluster.graph();
  const job = graph.spawn(work.holdThread, at("go"), at("log"));
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  // Would have the job as soon as it counted as lost, and give the same result.
  await startProcess(t, options.schema);
  await until(() => output.join("").includes("over"));
  writeFileSync(at("go"), "");
  assert.equal(await run.result(job), "went");
  assert.deepEqual(linesOf(at("log")), ["started"]);
});

test("a worker that ends leaves no heartbeat behind, and its process ends by itself", OPTIONS, async () => {
  const { schema } = freshSchema();
  const program = `
    import { Cluster } from "heddle/cluster";
    const cluster = await Cluster.connect(${JSON.stringify({ schema, url: URL_OF_SERVER, modules: [fileURLToPath(new URL("./support/cluster-work.js", import.meta.url))] })});
    cluster.on("error", (error) => console.error(error));
    for (let k = 0; k < 3; k++) await (await cluster.startWorker({ threads: 1 })).stop();
    await cluster.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const errors: string[] = [];
  child.stderr.on("data", (data) => errors.push(String(data)));
  assert.deepEqual(await settled(once(child, "close"), "the program"), [0, null]);
  assert.deepEqual(errors, []);
});
