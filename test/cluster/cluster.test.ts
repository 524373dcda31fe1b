/** Graphs on a cluster whose database is embedded: results, failures, retries, cancelling, what is refused. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  DependencyCycleError,
  DependencyFailedError,
  JobCancelledError,
  JobFailedError,
  JobTimeoutError,
  PayloadTooLargeError,
  ShutdownError,
  UnknownJobFunctionError,
  WorkerCrashedError,
} from "heddle";
import {
  Cluster,
  type ClusterJob,
  type ClusterWorker,
  InvalidGraphError,
  type RunStatus,
  UnknownRunError,
  type WorkerOptions,
} from "heddle/cluster";
import { HANGS, until } from "../support/hangs.js";
import { ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf, WORK } from "./support/clusters.js";

/** With a worker. */
let cluster: Cluster;
/** Whose workers are those that each test starts. */
let quiet: Cluster;
const errors: Error[] = [];

before(async () => {
  cluster = await Cluster.connect({ modules: [WORK], maxValueBytes: 100_000 });
  cluster.on("error", (error) => errors.push(error));
  await cluster.startWorker({ threads: 2 });
  quiet = await Cluster.connect({ modules: [WORK] });
}, HANGS);

after(async () => {
  await cluster.close();
  await quiet.close();
  assert.deepEqual(errors, []);
}, HANGS);

/** Starts a worker of the quiet cluster, which stops when the test ends. */
async function startWorker(t: TestContext, options: WorkerOptions): Promise<ClusterWorker> {
  const worker = await quiet.startWorker(options);
  t.after(() => worker.stop());
  return worker;
}

test("results: each job runs after those that it depends on, and reads their results", HANGS, async () => {
  const graph = cluster.graph();
  const parts = Array.from({ length: 20 }, (_, k) => graph.spawn(work.double, k));
  const total = graph.spawn(work.sum, ...parts);
  const later = graph.spawn(work.sumLater, total, parts[1]);
  const nothing = graph.spawn(work.nothing).after(later);
  assert.equal(graph.size, 23);
  const run = await cluster.submit(graph, { name: "sums" });
  assert.equal(await run.result(later), 382);
  assert.equal(await run.result(total), 380);
  assert.equal(await run.result(nothing), undefined);
  const report = await run.done;
  const { submitted, ended, ...rest } = report;
  assert.ok(submitted <= ended!);
  const counts = { jobs: 23, completed: 23, failed: 0, cancelled: 0 };
  assert.deepEqual(rest, { id: run.id, name: "sums", state: "completed", ...counts, failures: [] });
});

test("values come through as they are", HANGS, async () => {
  const values = [
    Number.NaN,
    -0,
    Number.POSITIVE_INFINITY,
    undefined,
    null,
    10n ** 40n,
    "a\u0000b\ud800c",
    new Date(5),
    /x/g,
    new Map([[{ a: 1 }, new Set([1])]]),
    new Float64Array([1.5, Number.NaN]),
    new Uint8Array([1, 2, 3]).subarray(1),
    { nested: [{ deep: undefined }] },
    new RangeError("an error"),
  ];
  const graph = cluster.graph();
  const echo = graph.spawn(work.echo, ...values);
  const again = graph.spawn(work.echoResult, echo);
  const run = await cluster.submit(graph);
  assert.deepEqual(await run.result(again), values);
  assert.ok(Object.is(((await run.result(echo)) as unknown[])[1], -0));
});

test(
  "a failure fails all that depend on it, with the same chain as on one machine, and the run ends",
  HANGS,
  async () => {
    const graph = cluster.graph();
    const bad = graph.spawn(work.fail, "bad input").with({ retries: 0, name: "reader" });
    const middle = graph.spawn(work.double, 1).after(bad);
    const last = graph.spawn(work.add, 1, 1).after(middle);
    const other = graph.spawn(work.add, 1, 2);
    const run = await cluster.submit(graph);
    const rejects = async (job: ClusterJob<unknown>, check: (error: JobFailedError) => void) =>
      assert.rejects(run.result(job), (error) => {
        check(error as JobFailedError);
        return true;
      });
    const isFirst = (error: unknown) => {
      assert.ok(error instanceof JobFailedError && !(error instanceof DependencyFailedError));
      assert.equal(error.message, 'job "reader" failed: bad input');
      const cause = error.cause as RangeError & { code: number; list: number[] };
      assert.ok(cause instanceof RangeError && /cluster-work/.test(cause.stack!));
      assert.deepEqual([cause.code, cause.list, (cause.cause as Error).message], [7, [1, 2], "deeper"]);
    };
    await rejects(bad, isFirst);
    for (const [job, name] of [[middle, "double"] as const, [last, "add"] as const]) {
      await rejects(job, (error) => {
        assert.ok(error instanceof DependencyFailedError);
        assert.equal(error.message, `job "${name}" did not run: job "reader" failed: bad input`);
        isFirst(error.cause);
      });
    }
    assert.equal(await run.result(other), 3);
    const { state, completed, failed, failures } = await run.done;
    assert.deepEqual({ state, completed, failed }, { state: "failed", completed: 1, failed: 3 });
    assert.deepEqual(
      failures.map(({ job }) => job),
      ["reader"],
    );
    isFirst(failures[0].error);
  },
);

test("what is no error, and results that cannot be stored", HANGS, async () => {
  const graph = cluster.graph();
  const once = { retries: 0 };
  const number = graph.spawn(work.throwNumber).with(once);
  const fn = graph.spawn(work.giveFunction).with(once);
  const large = graph.spawn(work.giveBytes, 100_001).with(once);
  const run = await cluster.submit(graph);
  await assert.rejects(run.result(number), (error) => error instanceof JobFailedError && error.cause === 42);
  await assert.rejects(run.result(fn), /the result, at \.inside, can't be stored/);
  await assert.rejects(run.result(large), (error: JobFailedError) => /maxValueBytes allows 100000/.test(error.message));
});

test("retries: a job that throws, or ends its thread, is tried again; its key stays the same", HANGS, async (t) => {
  const at = folder(t);
  const graph = cluster.graph();
  const flaky = graph.spawn(work.flaky, at("flaky"), 3);
  const dying = graph.spawn(work.dying, at("dying"), 2);
  const after = graph.spawn(work.sum, flaky, dying);
  const tooOften = graph.spawn(work.dying, at("too often"), 9).with({ retries: 1 });
  const never = graph.spawn(work.flaky, at("never"), 2).with({ retries: 0 });
  const run = await cluster.submit(graph);
  assert.equal(await run.result(after), 5);
  await assert.rejects(run.result(tooOften), (error) => error instanceof WorkerCrashedError && error.exitCode === 9);
  await assert.rejects(run.result(never), /attempt 1/);
  for (const [file, tries] of Object.entries({ flaky: 3, dying: 2, "too often": 2, never: 1 })) {
    const keys = linesOf(at(file));
    assert.equal(keys.length, tries, file);
    assert.equal(new Set(keys).size, 1, file);
    assert.match(keys[0], /^[0-9a-f-]{36}$/);
  }
});

test("the key is there in asynchronous code, not in jobs that a job makes", HANGS, async () => {
  const graph = cluster.graph();
  const jobs = [graph.spawn(work.keyLater), graph.spawn(work.keyLater)];
  const run = await cluster.submit(graph);
  const [first, second] = await Promise.all(jobs.map((job) => run.result(job)));
  assert.equal(first[0], first[1]);
  assert.notEqual(first[0], second[0]);
  assert.equal(first[2], undefined);
});

test("a job's time is limited on its worker", HANGS, async () => {
  const graph = cluster.graph();
  const slow = graph.spawn(work.loop).with({ timeout: 20, retries: 0 });
  const run = await cluster.submit(graph);
  await assert.rejects(run.result(slow), (error) => error instanceof JobTimeoutError && error.timeout === 20);
});

test("a job may run thousands of local jobs", HANGS, async () => {
  const graph = cluster.graph();
  const jobs = Array.from({ length: 4 }, () => graph.spawn(work.fine, 5000));
  const run = await cluster.submit(graph);
  for (const job of jobs) assert.equal(await run.result(job), 5000);
});

test("cancel: what has not started never will, what runs is asked to stop, and the run ends", HANGS, async (t) => {
  const at = folder(t);
  const graph = cluster.graph();
  const done = graph.spawn(work.add, 1, 1);
  const running = graph.spawn(work.until, at("go"), at("log")).after(done);
  const next = graph.spawn(work.note, at("next"), "ran").after(running);
  const run = await cluster.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  await run.cancel();
  const { state, completed, cancelled } = await run.done;
  assert.deepEqual({ state, completed, cancelled }, { state: "cancelled", completed: 1, cancelled: 2 });
  await assert.rejects(run.result(running), JobCancelledError);
  await assert.rejects(run.result(next), JobCancelledError);
  assert.equal(await run.result(done), 2);
  await until(() => linesOf(at("log")).includes("stopped"));
  await run.cancel();
  assert.equal((await run.status()).cancelled, 2);
  assert.deepEqual(linesOf(at("next")), []);
});

test("attach: another process asks by id and name; list; delete", HANGS, async () => {
  const graph = cluster.graph();
  graph.spawn(work.sum, graph.spawn(work.double, 4)).with({ name: "total" });
  const { id } = await cluster.submit(graph, { name: "attached" });
  const run = await cluster.attach(id);
  assert.equal(await run.result<number>("total"), 8);
  assert.equal((await run.done).name, "attached");
  const [latest] = await cluster.runs({ limit: 1 });
  assert.deepEqual({ ...latest, waitingFor: [] }, await run.status());
  await assert.rejects(run.result("other"), /no job called "other"/);
  await assert.rejects(cluster.attach("x"), TypeError);
  await assert.rejects(cluster.attach("00000000-0000-4000-8000-000000000000"), UnknownRunError);
  await run.delete();
  await assert.rejects(run.status(), UnknownRunError);
  await assert.rejects((await cluster.attach(id)).result("total"), UnknownRunError);
  assert.ok(!(await cluster.runs()).some((each) => each.id === id));
});

test("a run's results are those of its own graph's jobs, as often as that is submitted", HANGS, async () => {
  const [graph, other] = [cluster.graph(), cluster.graph()];
  const job = graph.spawn(work.double, 21);
  const stranger = other.spawn(work.double, 1);
  const runs = [await cluster.submit(graph), await cluster.submit(graph)];
  const attached = await cluster.attach(runs[0].id);
  for (const run of [...runs, attached]) {
    assert.equal(await run.result(job), 42);
    await assert.rejects(
      run.result(stranger),
      /^TypeError: job "double" is of another graph; job must be a job of the graph/,
    );
  }
});

test("a circle of 100,000 jobs is found, and many jobs by their names", HANGS, async () => {
  const circle = cluster.graph();
  const jobs = Array.from({ length: 100_000 }, () => circle.spawn(work.nothing));
  for (const [k, job] of jobs.entries()) job.after(jobs[(k + 1) % jobs.length]);
  await assert.rejects(cluster.submit(circle), ({ jobs: named }: DependencyCycleError) => named.length === jobs.length);
  const graph = cluster.graph();
  for (let k = 0; k < 200; k++) graph.spawn(work.double, k).with({ name: `job ${k}` });
  const run = await cluster.submit(graph);
  const results = await Promise.all(Array.from({ length: 200 }, (_, k) => run.result(`job ${k}`)));
  assert.deepEqual(
    results,
    Array.from({ length: 200 }, (_, k) => 2 * k),
  );
});

test("progress: the counts go up to the end", HANGS, async () => {
  const graph = cluster.graph();
  let job = graph.spawn(work.add, 0, 0);
  for (let k = 0; k < 5; k++) job = job.then(graph.spawn(work.add, k, k));
  const run = await cluster.submit(graph);
  const seen: RunStatus[] = [];
  run.on("progress", (status) => seen.push(status));
  await run.done;
  const counts = seen.map(({ completed }) => completed);
  assert.deepEqual(
    counts,
    [...new Set(counts)].sort((a, b) => a - b),
  );
  assert.equal(counts.at(-1), 6);
  assert.equal(seen.at(-1)!.state, "completed");
});

test("what is wrong is refused, before anything is written", HANGS, async () => {
  const runs = await cluster.runs();
  const graph = cluster.graph();
  const fresh = () => cluster.graph();
  const unknown = () => 1;
  assert.throws(() => graph.spawn(unknown), UnknownJobFunctionError);
  assert.throws(() => graph.spawn(unknown), /function "unknown".*Cluster\.connect/);
  assert.throws(() => graph.spawn(7 as never), UnknownJobFunctionError);
  assert.throws(() => graph.spawn(work.echo, 1, { f: () => 1 }), {
    name: "DataCloneError",
    message: /argument 2 of job "echo", at \.f, can't go to another machine/,
  });
  const shared = new Int32Array(new SharedArrayBuffer(4));
  assert.throws(() => graph.spawn(work.echo, { shared }), /argument 1 of job "echo", at \.shared,.*pass a copy/);
  assert.throws(() => graph.spawn(work.echo, shared.buffer), { name: "DataCloneError" });
  assert.throws(() => graph.spawn(work.echo, new Uint8Array(100_001)), PayloadTooLargeError);
  assert.throws(
    () => graph.spawn(work.echo, new Uint8Array(60_000), new Uint8Array(60_000)),
    /job "echo" takes at least \d+ bytes, and maxValueBytes allows 100000/,
  );
  assert.throws(() => graph.spawn(work.echo, [graph.spawn(work.nothing)]), { name: "DataCloneError" });
  const job = graph.spawn(work.nothing);
  assert.throws(() => job.after(fresh().spawn(work.nothing)), TypeError);
  assert.throws(() => job.after(7 as never), TypeError);
  await assert.rejects(async () => await (job as never), /cluster\.submit\(graph\)/);
  assert.throws(() => job.with({ signal: new AbortController().signal } as never), /takes no signal/);
  assert.throws(() => job.with({ on: "main" } as never), /no main thread/);
  assert.throws(() => job.with({ retries: -1 }), RangeError);
  assert.throws(() => job.with({ what: 1 } as never), TypeError);
  await assert.rejects(cluster.submit(fresh()), InvalidGraphError);
  await assert.rejects(cluster.submit(undefined as never), TypeError);
  const twice = fresh();
  for (let k = 0; k < 2; k++) twice.spawn(work.nothing).with({ name: "same" });
  await assert.rejects(cluster.submit(twice), /two jobs are called "same"/);
  const circle = fresh();
  const [a, b, c] = [0, 1, 2].map((k) => circle.spawn(work.nothing).with({ name: `job ${k}` }));
  a.then(b).then(c).then(a);
  circle.spawn(work.nothing).after(c);
  await assert.rejects(cluster.submit(circle), (error) => {
    assert.ok(error instanceof DependencyCycleError);
    assert.deepEqual([...error.jobs].sort(), ["job 0", "job 1", "job 2"]);
    return true;
  });
  assert.deepEqual(await cluster.runs(), runs);
});

test("bad options are named", HANGS, async () => {
  const bad = async (options: unknown, pattern: RegExp) =>
    assert.rejects(Cluster.connect(options as never), (error: Error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
      assert.match(error.message, pattern);
      return true;
    });
  await bad(undefined, /needs options/);
  await bad({ modules: [] }, /modules/);
  await bad({ modules: [WORK], url: "mysql://x" }, /url must be/);
  await bad({ modules: [WORK], url: "postgres://u:secret@h/d", directory: "x" }, /not both/);
  await bad({ modules: [WORK], schema: "Robert'); --" }, /schema/);
  await bad({ modules: [WORK], maxValueBytes: 0 }, /maxValueBytes/);
  await bad({ modules: [WORK], threads: 2 }, /no option "threads"/);
  await bad({ modules: [WORK, new URL("./elsewhere/cluster-work.ts", WORK)] }, /both called "cluster-work"/);
  await assert.rejects(
    Cluster.connect({ modules: [WORK], url: "postgres://heddle@127.0.0.1:1/x" }),
    /cannot open the database/,
  );
  await assert.rejects(cluster.startWorker({ threads: 0 }), /threads/);
  await assert.rejects(cluster.runs({ limit: 0 }), /limit/);
});

test("a worker that stops gives back what has not begun, and fails what has; another runs it", HANGS, async (t) => {
  const at = folder(t);
  const first = await startWorker(t, { threads: 1 });
  const graph = quiet.graph();
  const long = graph.spawn(work.until, at("go"), at("log"));
  const once = graph.spawn(work.until, at("go"), at("once")).with({ retries: 0 });
  const short = Array.from({ length: 20 }, (_, k) => graph.spawn(work.add, k, 0).with({ retries: 0 }).after(long));
  const run = await quiet.submit(graph);
  await until(() => linesOf(at("log")).length === 1 && linesOf(at("once")).length === 1);
  await first.stop({ timeout: 0 });
  await first.stopped;
  assert.equal(first.running, 0);
  assert.equal((await run.status()).state, "running");
  writeFileSync(at("go"), "");
  await startWorker(t, { threads: 1 });
  assert.equal(await run.result(long), "went");
  for (const [k, job] of short.entries()) assert.equal(await run.result(job), k);
  assert.equal(linesOf(at("log")).filter((line) => line === "started").length, 2);
  // What may not be tried again is not.
  await assert.rejects(run.result(once), /its worker was stopped before it had finished/);
  assert.equal(linesOf(at("once")).filter((line) => line === "started").length, 1);
  await assert.rejects(first.stop({ timeout: -1 }), RangeError);
});

test("jobs that wait behind long ones are given to another worker", HANGS, async (t) => {
  const at = folder(t);
  await startWorker(t, { threads: 1 });
  // So that it holds many, as they are small.
  const small = quiet.graph();
  for (let k = 0; k < 200; k++) small.spawn(work.add, k, 0);
  await (await quiet.submit(small)).done;
  const graph = quiet.graph();
  const long = Array.from({ length: 3 }, () => graph.spawn(work.holdThread, at("go"), at("log")).with({ retries: 0 }));
  // To be given back is no attempt: it has its retry when it is run at last.
  const flaky = graph.spawn(work.flaky, at("tries"), 2).with({ retries: 1 });
  const run = await quiet.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  await startWorker(t, { threads: 2 });
  await until(() => linesOf(at("log")).length === 3);
  writeFileSync(at("go"), "");
  for (const job of long) assert.equal(await run.result(job), "went");
  assert.equal(linesOf(at("log")).length, 3);
  assert.equal(await run.result(flaky), 2);
});

test("what does not stop in time is terminated, and only then runs elsewhere", HANGS, async (t) => {
  const at = folder(t);
  const worker = await startWorker(t, { threads: 1 });
  const graph = quiet.graph();
  const stuck = graph.spawn(work.holdThread, at("go"), at("log"));
  const run = await quiet.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  await startWorker(t, { threads: 1 });
  await worker.stop({ timeout: 50 });
  await until(() => linesOf(at("log")).length === 2);
  writeFileSync(at("go"), "");
  assert.equal(await run.result(stuck), "went");
  assert.equal(linesOf(at("log")).length, 2);
});

test("asynchronous jobs are in flight together on one thread", HANGS, async (t) => {
  const at = folder(t);
  await startWorker(t, { threads: 1 });
  const graph = quiet.graph();
  const jobs = Array.from({ length: 24 }, () => graph.spawn(work.together, at("log"), 24));
  const run = await quiet.submit(graph);
  for (const job of jobs) assert.equal(await run.result(job), 24);
});

test("a cancelled job is not run again when its worker stops just then", HANGS, async (t) => {
  const at = folder(t);
  const worker = await startWorker(t, { threads: 1 });
  const graph = quiet.graph();
  const held = graph.spawn(work.holdThread, at("go"), at("held"));
  const waiting = graph.spawn(work.note, at("waiting"), "ran");
  const run = await quiet.submit(graph);
  await until(() => linesOf(at("held")).length === 1);
  await run.cancel();
  const stopped = worker.stop({ timeout: 0 });
  writeFileSync(at("go"), "");
  await stopped;
  await startWorker(t, { threads: 1 });
  const after = quiet.graph();
  const last = after.spawn(work.add, 1, 1);
  assert.equal(await (await quiet.submit(after)).result(last), 2);
  await assert.rejects(run.result(waiting), JobCancelledError);
  assert.equal((await run.done).cancelled, 2);
  assert.equal(linesOf(at("held")).length, 1);
  assert.deepEqual([held.name, linesOf(at("waiting"))], ["holdThread", []]);
});

test("a listener that throws ends nothing but itself", HANGS, async (t) => {
  const heard: string[] = [];
  quiet.on("error", ({ message }) => heard.push(message));
  await startWorker(t, { threads: 1 });
  const graph = quiet.graph();
  const job = graph.spawn(work.add, 1, 1);
  const run = await quiet.submit(graph);
  run.on("progress", () => {
    throw new Error("from the listener");
  });
  assert.equal(await run.result(job), 2);
  assert.equal((await run.done).completed, 1);
  await until(() => heard.includes("from the listener"));
});

test("a worker that stops in time finishes what it has begun", HANGS, async (t) => {
  const at = folder(t);
  const worker = await startWorker(t, { threads: 1 });
  const graph = quiet.graph();
  const long = graph.spawn(work.until, at("go"), at("log"));
  const next = graph.spawn(work.add, 1, 1).after(long);
  const run = await quiet.submit(graph);
  await until(() => linesOf(at("log")).length === 1);
  const stopped = worker.stop();
  writeFileSync(at("go"), "");
  await stopped;
  assert.equal(await run.result(long), "went");
  assert.equal((await run.status()).completed, 1);
  await startWorker(t, { threads: 1 });
  assert.equal(await run.result(next), 2);
});

test("a run outlives the process: a folder keeps the embedded database", HANGS, async (t) => {
  const directory = folder(t)("runs");
  const options = { modules: [WORK], directory };
  const first = await Cluster.connect(options);
  const graph = first.graph();
  graph.spawn(work.sum, graph.spawn(work.double, 21)).with({ name: "answer" });
  const { id } = await first.submit(graph);
  await assert.rejects(Cluster.connect(options), /runs is used by this process already/);
  const attached = await first.attach(id);
  const waiting = attached.done;
  const ended = assert.rejects(waiting, ShutdownError);
  await first.close();
  await ended;
  await assert.rejects(first.submit(graph), ShutdownError);
  await assert.rejects(first.startWorker(), ShutdownError);
  for (const asked of [() => attached.result("answer"), () => attached.status(), () => attached.cancel()]) {
    await assert.rejects(asked, ShutdownError);
  }
  const second = await Cluster.connect(options);
  t.after(() => second.close());
  const run = await second.attach(id);
  await second.startWorker({ threads: 1 });
  assert.equal(await run.result("answer"), 42);
});

test("a worker with older modules leaves jobs that it does not know to others; the run says for what it waits", {
  ...HANGS,
  ...ONLY_LONG,
}, async (t) => {
  const at = folder(t);
  for (const [age, text] of [
    ["old", ""],
    ["new", "export function fresh() { return 1; }"],
  ]) {
    mkdirSync(at(age));
    writeFileSync(join(at(age), "ages.mjs"), `export function known() { return 2; }\n${text}`);
  }
  const connect = (age: string) => Cluster.connect({ modules: [join(at(age), "ages.mjs")], directory: at("runs") });
  const first = await connect("new");
  const ages = (await import(pathToFileURL(join(at("new"), "ages.mjs")).href)) as Record<string, () => number>;
  const graph = first.graph();
  const fresh = Array.from({ length: 20 }, () => graph.spawn(ages.fresh).with({ retries: 0 }));
  graph.spawn(ages.known).with({ name: "known", retries: 0 }).after(graph.spawn(ages.known));
  graph
    .spawn(ages.known)
    .with({ name: "last" })
    .after(...fresh);
  const { id } = await first.submit(graph);
  await first.close();
  const second = await connect("old");
  const heard: string[] = [];
  second.on("error", ({ message }) => heard.push(message));
  await second.startWorker({ threads: 1 });
  const run = await second.attach(id);
  assert.equal(await run.result("known"), 2);
  await until(async () => (await run.status()).waitingFor.length > 0);
  const { waitingFor, completed, failed, state } = await run.status();
  assert.deepEqual(
    { waitingFor, completed, failed, state },
    { waitingFor: ["ages.fresh"], completed: 2, failed: 0, state: "running" },
  );
  assert.deepEqual(heard, [
    'this worker\'s module ages has no function "fresh": is it older than the graph? its jobs are left to others',
  ]);
  await second.close();
  const third = await connect("new");
  t.after(() => third.close());
  await third.startWorker({ threads: 1 });
  const again = await third.attach(id);
  assert.equal(await again.result("last"), 2);
  assert.deepEqual((await again.status()).waitingFor, []);
});
