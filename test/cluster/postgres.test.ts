/** Worker processes that share a PostgreSQL server: they are killed, they are stopped, the server crashes. */
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DependencyFailedError, JobCancelledError, JobFailedError } from "heddle";
import { Cluster, type ClusterJob, type Run } from "heddle/cluster";
import { PgBoss } from "pg-boss";
import { HANGS, PATIENCE, until } from "../support/hangs.js";
import { LONG, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf } from "./support/clusters.js";
import { lossyProxy } from "./support/lossy-proxy.js";
import { BIN, freshSchema, NO_SERVER, restartServer, sql, startProcess } from "./support/postgres.js";

const THIS_FILE = fileURLToPath(import.meta.url);
const WITH_SERVER = fileURLToPath(new URL("../../../scripts/with-postgres.sh", import.meta.url));
const OPTIONS = { ...HANGS, skip: NO_SERVER };
/** It takes long until the loss of a process is noticed. */
const LONG_OPTIONS = { ...OPTIONS, ...(!LONG && ONLY_LONG) };
const PROCESSES = 3;

/** A cluster with worker processes. */
async function withProcesses(t: TestContext, count = PROCESSES) {
  const options = freshSchema();
  const cluster = await Cluster.connect(options);
  const errors: Error[] = [];
  cluster.on("error", (error) => errors.push(error));
  t.after(() => cluster.close());
  const start = () => startProcess(t, options.schema);
  const processes: ChildProcess[] = [];
  for (let k = 0; k < count; k++) processes.push(await start());
  return { cluster, options, processes, start, errors };
}

async function settled(run: Run, jobs: readonly ClusterJob<number>[]): Promise<readonly (number | Error)[]> {
  return await Promise.all(jobs.map((job) => run.result(job).catch((error: Error) => error)));
}

/** The results of `mixSlowly`, computed plainly; undefined for what fails. */
function plainly(reads: readonly (readonly number[])[], fails: ReadonlySet<number>): (number | undefined)[] {
  const results: (number | undefined)[] = [];
  for (const [k, before] of reads.entries()) {
    const values = before.map((n) => results[n]);
    if (fails.has(k) || values.includes(undefined)) results.push(undefined);
    else results.push(values.reduce<number>((mixed, each) => (Math.imul(mixed, 31) + each!) | 0, k));
  }
  return results;
}

/** Layers of jobs, each of which reads three of the layer before. */
function layered(cluster: Cluster, layers: number, width: number, fails: ReadonlySet<number>) {
  const graph = cluster.graph();
  const jobs: ClusterJob<number>[] = [];
  const reads: number[][] = [];
  for (let k = 0; k < layers * width; k++) {
    const layer = Math.floor(k / width) - 1;
    const before = layer < 0 ? [] : [0, 1, 7].map((step) => layer * width + ((k + step) % width));
    reads.push(before);
    const job = graph.spawn(work.mixSlowly, k, fails.has(k), ...before.map((n) => jobs[n]));
    jobs.push(job.with({ retries: fails.has(k) ? 0 : 20 }));
  }
  return { graph, jobs, expected: plainly(reads, fails) };
}

test("processes share the jobs; others watch and attach", OPTIONS, async (t) => {
  const { cluster, options, processes } = await withProcesses(t);
  const graph = cluster.graph();
  const jobs = Array.from({ length: 60 }, () => graph.spawn(work.where, 100));
  const last = graph.spawn(work.sum, ...jobs).with({ name: "sum" });
  const run = await cluster.submit(graph);
  const other = await Cluster.connect(options);
  t.after(() => other.close());
  const attached = await other.attach(run.id);
  const sum = await attached.result<number>("sum");
  assert.equal(await run.result(last), sum);
  const pids = await Promise.all(jobs.map((job) => run.result(job)));
  assert.deepEqual(new Set(pids), new Set(processes.map(({ pid }) => pid)));
  assert.equal((await attached.done).completed, 61);
});

test("workers are killed again and again: every job gets its outcome, once", LONG_OPTIONS, async (t) => {
  const { cluster, processes, start } = await withProcesses(t);
  const fails = new Set([30, 37]);
  const { graph, jobs, expected } = layered(cluster, 12, 20, fails);
  const run = await cluster.submit(graph);
  for (let kills = 0; kills < 3; kills++) {
    const before = (await run.status()).completed;
    await until(async () => {
      const { completed, state } = await run.status();
      return state !== "running" || completed > before + 15;
    });
    processes[kills].kill("SIGKILL");
    processes.push(await start());
  }
  const outcomes = await settled(run, jobs);
  for (const [k, outcome] of outcomes.entries()) {
    if (expected[k] !== undefined) assert.equal(outcome, expected[k], `job ${k}`);
    // It has one attempt, which may be lost with its worker.
    else if (fails.has(k)) assert.match((outcome as Error).message, new RegExp(`job ${k} fails|its worker was lost`));
    else assert.ok(outcome instanceof DependencyFailedError, `job ${k}: ${String(outcome)}`);
  }
  const { completed, failed, state } = await run.done;
  const good = expected.filter((each) => each !== undefined).length;
  assert.deepEqual({ completed, failed, state }, { completed: good, failed: jobs.length - good, state: "failed" });
});

const CRASHES = "the server crashes in the middle: the run goes on";

test(CRASHES, OPTIONS, async (t) => {
  // Others use this server: so it runs again, with one of its own.
  if (process.env.HEDDLE_TEST_OWN_SERVER === undefined) {
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    const command = [WITH_SERVER, process.execPath, `--test-name-pattern=^${CRASHES}$`, THIS_FILE];
    const run = spawnSync("bash", command, { encoding: "utf8", env: { ...env, HEDDLE_TEST_OWN_SERVER: "1" } });
    return assert.equal(run.status, 0, run.stdout + run.stderr);
  }
  const { cluster, errors } = await withProcesses(t);
  const { graph, jobs, expected } = layered(cluster, 12, 20, new Set());
  const run = await cluster.submit(graph);
  await until(async () => (await run.status()).completed > 40);
  restartServer();
  const outcomes = await settled(run, jobs);
  assert.deepEqual(outcomes, expected);
  assert.equal((await run.done).state, "completed");
  // It was noticed, and told.
  assert.ok(errors.length > 0);
});

test(
  "a job that takes its worker with it fails when it may not be tried again; the run ends",
  LONG_OPTIONS,
  async (t) => {
    const { cluster } = await withProcesses(t, 2);
    const graph = cluster.graph();
    const kills = graph.spawn(work.killProcess).with({ retries: 0 });
    const next = graph.spawn(work.add, 1, 1).after(kills);
    const other = graph.spawn(work.add, 1, 2);
    const run = await cluster.submit(graph);
    await assert.rejects(run.result(kills), (error: Error) => {
      assert.ok(error instanceof JobFailedError);
      assert.equal((error.cause as Error).name, "WorkerLostError");
      assert.match(error.message, /job "killProcess" failed: its worker was lost.*attempt 1, and the last one/);
      return true;
    });
    await assert.rejects(run.result(next), DependencyFailedError);
    assert.equal(await run.result(other), 3);
    assert.equal((await run.done).failed, 2);
  },
);

test("jobs that kill their process hurt no others, which lose no attempt", LONG_OPTIONS, async (t) => {
  const { cluster, processes, start } = await withProcesses(t, 2);
  let ended = false;
  t.after(() => {
    ended = true;
  });
  const keepAlive = (child: ChildProcess) =>
    child.once("exit", () => {
      if (!ended) void start().then(keepAlive);
    });
  processes.forEach(keepAlive);
  const graph = cluster.graph();
  const innocent = Array.from({ length: 200 }, (_, k) => graph.spawn(work.add, k, 1).with({ retries: 1 }));
  // Those that have not begun never did.
  const at = folder(t);
  const once = Array.from({ length: 200 }, (_, k) =>
    graph.spawn(work.note, at("begun"), String(k)).with({ retries: 0 }),
  );
  const longer = Array.from({ length: 4 }, () => graph.spawn(work.where, 3000).with({ retries: 1 }));
  const poison = [0, 1, 1].map((retries) => graph.spawn(work.killProcess).with({ retries, priority: "high" }));
  const run = await cluster.submit(graph);
  for (const [k, job] of innocent.entries()) assert.equal(await run.result(job), k + 1);
  await Promise.all(longer.map((job) => run.result(job)));
  const results = await Promise.all(once.map((job) => run.result(job).catch(() => "failed")));
  const begun = linesOf(at("begun"));
  assert.equal(new Set(begun).size, begun.length, "none began twice");
  for (const [k, result] of results.entries()) assert.ok(result === String(k) || begun.includes(String(k)), `job ${k}`);
  for (const [k, job] of poison.entries()) {
    await assert.rejects(run.result(job), (error: Error) => {
      assert.equal((error.cause as Error).name, "WorkerLostError");
      assert.match(error.message, new RegExp(`this was attempt ${[1, 2, 2][k]}, and the last one`));
      return true;
    });
  }
  ended = true;
  assert.equal((await run.done).failed, poison.length + results.filter((each) => each === "failed").length);
});

test("a job that ends its thread costs asynchronous ones on it no attempt", OPTIONS, async (t) => {
  const options = freshSchema();
  const cluster = await Cluster.connect(options);
  t.after(() => cluster.close());
  await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  const innocent = Array.from({ length: 5 }, () => graph.spawn(work.where, 300).with({ retries: 1 }));
  const poison = [0, 1].map((retries) => graph.spawn(work.endThreadLater).with({ retries }));
  const run = await cluster.submit(graph);
  for (const job of innocent) assert.equal(await run.result(job), process.pid);
  for (const job of poison) {
    await assert.rejects(run.result(job), (error: Error) => (error as Error).name === "WorkerCrashedError");
  }
  assert.equal((await run.done).failed, poison.length);
});

test("SIGTERM: running jobs finish, then the process ends", OPTIONS, async (t) => {
  const at = folder(t);
  const { cluster, processes } = await withProcesses(t, 1);
  const graph = cluster.graph();
  const long = graph.spawn(work.until, at("go"), at("log"));
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  const exited = once(processes[0], "exit");
  processes[0].kill("SIGTERM");
  writeFileSync(at("go"), "");
  assert.deepEqual(await exited, [0, null]);
  assert.equal(await run.result(long), "went");
  assert.deepEqual(linesOf(at("log")), ["started"]);
});

test("the database refuses what a fetched job needs: it is asked again", OPTIONS, async (t) => {
  const at = folder(t);
  const { cluster, options } = await withProcesses(t, 1);
  const boss = new PgBoss({ connectionString: options.url, schema: options.schema, supervise: false, schedule: false });
  boss.on("error", () => {});
  await boss.start();
  t.after(() => boss.stop({ graceful: false }));
  const run = (text: string) => boss.getDb().executeSql(text.replaceAll("SCHEMA", options.schema));
  const graph = cluster.graph();
  const job = graph.spawn(work.flaky, at("log"), 2);
  const submitted = await cluster.submit(graph);
  // Before a job is tried again, what became of it is asked for.
  await until(() => linesOf(at("log")).length === 1);
  await run("ALTER TABLE SCHEMA.heddle_outcome RENAME TO away");
  await until(async () => {
    const { rows } = await run("SELECT 1 FROM SCHEMA.job WHERE state = 'active' AND retry_count = 1");
    return rows.length === 1;
  });
  await run("ALTER TABLE SCHEMA.away RENAME TO heddle_outcome");
  assert.equal(await submitted.result(job), 2);
});

test("a submission whose answer is lost is one run", OPTIONS, async (t) => {
  const options = freshSchema();
  const proxy = await lossyProxy(t, options.url!);
  const cluster = await Cluster.connect({ ...options, url: proxy.url });
  t.after(() => cluster.close());
  cluster.on("error", () => {});
  const graph = cluster.graph();
  const sum = graph.spawn(work.add, 1, 2);
  proxy.loseNextCommit();
  const run = await cluster.submit(graph);
  assert.deepEqual(
    (await cluster.runs()).map(({ id }) => id),
    [run.id],
  );
  await cluster.startWorker({ threads: 1 });
  assert.equal(await run.result(sum), 3);
});

test("cancelling from another process asks running jobs to stop", OPTIONS, async (t) => {
  const at = folder(t);
  const { cluster, options } = await withProcesses(t, 1);
  const graph = cluster.graph();
  const long = graph.spawn(work.until, at("go"), at("log"));
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  const other = await Cluster.connect(options);
  t.after(() => other.close());
  await (await other.attach(run.id)).cancel();
  await assert.rejects(run.result(long), JobCancelledError);
  await until(() => linesOf(at("log")).includes("stopped"));
  assert.equal((await run.done).state, "cancelled");
});

test("an attempt that comes back to the worker that still holds the one before ends that", OPTIONS, async (t) => {
  const { cluster, options } = await withProcesses(t, 0);
  await cluster.startWorker({ threads: 1 });
  const at = folder(t);
  const graph = cluster.graph();
  const job = graph.spawn(work.until, at("go"), at("log"));
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  // As if the worker had counted as lost; it hears of the job before its heartbeat tells that it has lost it.
  sql(`UPDATE ${options.schema}.job SET state = 'retry', retry_count = retry_count + 1 WHERE state = 'active';
    SELECT pg_notify('heddle_${options.schema}', 'ready')`);
  await until(() => linesOf(at("log")).length === 3);
  assert.deepEqual(linesOf(at("log")).sort(), ["started", "started", "stopped"]);
  writeFileSync(at("go"), "");
  assert.equal(await run.result(job), "went");
});

test("heddle worker ends when it cannot start", OPTIONS, () => {
  const { url, schema, modules } = freshSchema();
  const args = ["worker", "--url", url!, "--schema", schema, "--modules", fileURLToPath(modules[0]), "--threads", "0"];
  const done = spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8", timeout: PATIENCE });
  assert.equal(done.status, 1);
  assert.match(done.stderr, /threads must be a whole number from 1 to 256/);
});
