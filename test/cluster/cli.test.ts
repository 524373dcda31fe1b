/** `heddle worker` on the command line, given wrong input. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WORK } from "./support/clusters.js";
import { BIN } from "./support/postgres.js";

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
