/** `heddle worker` on the command line: wrong input, and a server that is not ready. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { HANGS } from "../support/hangs.js";
import { WORK } from "./support/clusters.js";
import { BIN, freshSchema, NO_SERVER, URL_OF_SERVER } from "./support/postgres.js";

const MODULE = fileURLToPath(WORK);
const GONE = "postgres://heddle@127.0.0.1:1/none";

function heddle(...args: string[]): { status: number | null; out: string } {
  const { HEDDLE_URL: _, ...env } = process.env;
  const done = spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8", timeout: 60_000, env });
  return { status: done.status, out: done.stdout + done.stderr };
}

test("help is shown", () => {
  const { status, out } = heddle("--help");
  assert.equal(status, 0);
  assert.match(out, /heddle worker --url/);
});

const WRONG: [args: string[], pattern: RegExp][] = [
  [[], /what to do is missing/],
  [["wrok"], /no command "wrok"/],
  [["worker", "now"], /no command "worker now"/],
  [["worker"], /--url is missing/],
  [["worker", "--url", GONE], /--modules is missing/],
  [["worker", "--url", GONE, "--modules", MODULE, "--threads", "many"], /--threads must be a whole number/],
  [["worker", "--url", GONE, "--modules", MODULE, "--keep", "long"], /keep must be a time such as "90s".*not "long"/],
  [["worker", "--url", GONE, "--colour"], /Unknown option '--colour'/],
  [["worker", "--url", "http://x", "--modules", MODULE], /url must be the address of a PostgreSQL database/],
  [["worker", "--url", GONE, "--modules", MODULE], /cannot open the database: connect ECONNREFUSED/],
  [["worker", "--url", GONE, "--modules", "./not-there.js"], /Cannot find module .*not-there\.js/],
];

for (const [args, pattern] of WRONG) {
  test(`refused: heddle ${args.map((arg) => arg.replace(MODULE, "work.js")).join(" ")}`, () => {
    const { status, out } = heddle(...args);
    assert.equal(status, 1);
    assert.match(out, pattern);
  });
}

test("a worker waits for a server that is starting", { ...HANGS, skip: NO_SERVER }, async (t) => {
  const there = new URL(URL_OF_SERVER!);
  const fields = "SFATAL\0C57P03\0Mthe database system is starting up\0\0";
  const answer = Buffer.alloc(5 + fields.length);
  answer.write("E");
  answer.writeInt32BE(answer.length - 1, 1);
  answer.write(fields, 5, "latin1");
  let starting = true;
  const server = createServer((client) => {
    client.on("error", () => {});
    if (starting) return client.end(answer);
    const upstream = connect(Number(there.port), there.hostname).on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const url = Object.assign(new URL(there), { port: (server.address() as { port: number }).port }).href;
  const args = [BIN, "worker", "--modules", MODULE, "--threads", "1", "--schema", freshSchema().schema, "--url", url];
  const worker = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => worker.kill("SIGKILL"));
  const [said] = await once(worker.stderr, "data");
  assert.match(
    String(said),
    /^heddle: cannot open the database: the database system is starting up.*; trying again\n$/,
  );
  starting = false;
  const [ready] = await once(worker.stdout, "data");
  assert.match(String(ready), /is ready/);
  worker.kill("SIGTERM");
  assert.deepEqual(await once(worker, "exit"), [0, null]);
});
