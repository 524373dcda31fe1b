/** A minute of random graphs on a cluster while everything fails: see bench/cluster/soak.ts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { ONLY_LONG } from "../support/long.js";

const SOAK = fileURLToPath(new URL("../../bench/cluster/soak.js", import.meta.url));
/** In milliseconds: a minute, what is waited for the last graphs at most, and what a busy machine takes. */
const TOO_LONG = 900_000;
/** It starts a server of its own, as it has it crash: other tests may use the one that they are given. */
const { HEDDLE_TEST_POSTGRES, HEDDLE_TEST_POSTGRES_RESTART, ...env } = process.env;
const NO_SERVER = HEDDLE_TEST_POSTGRES_RESTART === undefined && {
  skip: "no server: run the tests with scripts/with-postgres.sh",
};

test("a minute of random graphs on a cluster: no job is lost, stuck, wrong or doubled", {
  timeout: TOO_LONG,
  ...ONLY_LONG,
  ...NO_SERVER,
}, (t) => {
  const run = spawnSync(process.execPath, [SOAK, "--minutes", "1", "--seed", "1"], {
    encoding: "utf8",
    timeout: TOO_LONG,
    env,
  });
  for (const line of run.stdout.split("\n")) t.diagnostic(line);
  assert.equal(run.stderr, "");
  // Its table says what was wrong; so it stands with the failure.
  assert.equal(run.status, 0, run.stdout);
});
