/** A role that owns the schema, and one that has only the rights that docs/cluster.md lists. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Cluster, ClusterSchemaError } from "heddle/cluster";
import { blocksOf } from "../support/documents.js";
import { HANGS, PATIENCE, until } from "../support/hangs.js";
import { LONG, ONLY_LONG } from "../support/long.js";
import * as work from "./support/cluster-work.js";
import { folder, linesOf } from "./support/clusters.js";
import { BIN, freshSchema, NO_SERVER, sql } from "./support/postgres.js";

const OPTIONS = { ...HANGS, skip: NO_SERVER };
const LONG_OPTIONS = { ...OPTIONS, ...(!LONG && ONLY_LONG) };
/** How long pg-boss's own passes, every 5 seconds, are given to find that they may not do something, in milliseconds. */
const SOME_PASSES = 12_000;

/** A role that may only connect. @returns the server's address for it */
function newRole(t: TestContext, name: string, url: string): string {
  sql(`CREATE ROLE ${name} LOGIN`);
  t.after(() => sql(`DROP OWNED BY ${name}; DROP ROLE ${name}`));
  return Object.assign(new URL(url), { username: name }).href;
}

/** The rights that the document lists, word for word. */
function grants(schema: string, role: string): string {
  const [{ code }] = blocksOf("docs/cluster.md").filter(({ language }) => language === "sql");
  return code
    .replaceAll(" heddle.", ` ${schema}.`)
    .replaceAll(" heddle ", ` ${schema} `)
    .replaceAll("heddle_user", role);
}

function heddle(
  command: string,
  options: { url?: string; schema: string; modules: readonly URL[] },
  ...more: string[]
) {
  const modules = options.modules.map((each) => fileURLToPath(each)).join(",");
  const args = [BIN, command, "--url", options.url!, "--schema", options.schema, "--modules", modules, ...more];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: PATIENCE });
  return { status, out: stdout + stderr };
}

async function refused(options: Parameters<typeof Cluster.connect>[0], message: RegExp): Promise<void> {
  await assert.rejects(Cluster.connect({ ...options, createSchema: false }), (error: Error) => {
    assert.ok(error instanceof ClusterSchemaError, String(error));
    assert.match(error.message, message);
    assert.match(error.message, /heddle migrate/);
    return true;
  });
}

test("what is missing is said, and heddle migrate creates it", OPTIONS, async (t) => {
  const options = freshSchema();
  await refused(options, /schema "test_\w+" is not in the database/);
  const worker = heddle("worker", options, "--no-create-schema");
  assert.equal(worker.status, 1);
  assert.match(worker.out, /ClusterSchemaError: schema "test_\w+" is not in the database/);
  assert.equal(sql(`SELECT count(*) FROM pg_namespace WHERE nspname = '${options.schema}'`), "0\n");

  const migrated = heddle("migrate", options);
  assert.deepEqual([migrated.status, /schema is ready/.test(migrated.out)], [0, true], migrated.out);
  assert.equal(heddle("migrate", options).status, 0);
  const cluster = await Cluster.connect({ ...options, createSchema: false });
  t.after(() => cluster.close());

  const more = new URL("./support/odd-names.js", import.meta.url);
  await refused({ ...options, modules: [...options.modules, more] }, /has no queue "jobs\/odd-names"/);
  sql(`ALTER TABLE ${options.schema}.heddle_run RENAME TO away`);
  await refused(options, /lacks heddle's own tables/);
  sql(`ALTER TABLE ${options.schema}.away RENAME TO heddle_run`);
  sql(`UPDATE ${options.schema}.version SET version = version - 1`);
  await refused(options, /another version of pg-boss/);
});

test("heddle migrate takes no options of a worker's", HANGS, () => {
  const options = { ...freshSchema(), url: "postgres://heddle@127.0.0.1:1/none" };
  for (const option of [["--threads", "2"], ["--no-create-schema"], ["--grace", "1"]]) {
    const { status, out } = heddle("migrate", options, ...option);
    assert.equal(status, 1);
    assert.match(out, new RegExp(`${option[0]} is an option of heddle worker`));
  }
});

test("heddle migrate ends when the indexes are there that a newer pg-boss adds", LONG_OPTIONS, async (t) => {
  const options = freshSchema();
  assert.equal(heddle("migrate", options).status, 0);
  // As its own updates do it.
  sql(
    `SELECT ${options.schema}.job_table_run_async('late_index', 1, 'CREATE INDEX CONCURRENTLY late_index ON ${options.schema}.job_common (data)', 'job_common', NULL)`,
  );
  // The pass that builds them was just made, and else is due in a minute.
  sql(`UPDATE ${options.schema}.version SET bam_on = NULL`);
  // An index is there when all have ended who may have written before.
  const table = `${options.schema}.job_common`;
  const writes = spawn("psql", [options.url!, "-c", `BEGIN; LOCK ${table} IN ROW EXCLUSIVE MODE; SELECT pg_sleep(5)`]);
  t.after(() => writes.kill("SIGKILL"));
  await until(
    () => sql(`SELECT 1 FROM pg_locks WHERE relation = '${table}'::regclass AND mode = 'RowExclusiveLock'`) !== "",
  );
  const { status, out } = heddle("migrate", options);
  assert.equal(status, 0, out);
  assert.equal(sql(`SELECT DISTINCT status FROM ${options.schema}.bam`), "completed\n");
});

test("a role with the rights that are listed runs everything", LONG_OPTIONS, async (t) => {
  const at = folder(t);
  const options = freshSchema();
  await Cluster.migrate(options);
  const role = `user_of_${options.schema}`;
  const limited = { ...options, url: newRole(t, role, options.url!), createSchema: false };
  await assert.rejects(Cluster.connect(limited), /permission denied.*has the role the grants/);
  sql(grants(options.schema, role));
  await assert.rejects(
    Cluster.connect({ ...limited, schema: `${options.schema}_other`, createSchema: true }),
    /permission denied/,
  );

  const cluster = await Cluster.connect(limited);
  t.after(() => cluster.close());
  const errors: Error[] = [];
  cluster.on("error", (error) => errors.push(error));
  const worker = await cluster.startWorker({ threads: 1 });
  const graph = cluster.graph();
  const tried = graph.spawn(work.flaky, at("tries"), 2);
  const sum = graph.spawn(work.sum, tried, graph.spawn(work.add, 1, 2)).with({ name: "sum" });
  const after = graph.spawn(work.nothing).after(graph.spawn(work.fail, "no").with({ retries: 0 }));
  const run = await cluster.submit(graph);
  assert.equal(await (await cluster.attach(run.id)).result("sum"), 5);
  assert.equal(await run.result(sum), 5);
  await assert.rejects(run.result(after), { name: "DependencyFailedError" });
  await run.delete();

  const more = cluster.graph();
  more.spawn(work.until, at("go"), at("log"));
  more.spawn(work.add, 1, 1);
  const cancelled = await cluster.submit(more);
  await until(() => linesOf(at("log")).length === 1);
  await cancelled.cancel();
  assert.equal((await cancelled.done).state, "cancelled");
  // Old jobs are deleted, as if an hour had passed.
  const ended = () => Number(sql(`SELECT count(*) FROM ${options.schema}.job WHERE state > 'active'`));
  assert.ok(ended() > 0);
  sql(`UPDATE ${options.schema}.job_common SET completed_on = completed_on - interval '2 days'`);
  sql(`UPDATE ${options.schema}.queue SET maintain_on = NULL, monitor_on = NULL`);
  await until(() => ended() === 0 || errors.length > 0);
  await new Promise((resolve) => setTimeout(resolve, SOME_PASSES));
  await worker.stop();
  assert.deepEqual(errors, []);
});
