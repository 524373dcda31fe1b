/** A minute of random graphs while workers die: see bench/soak.ts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { ONLY_LONG } from "./support/long.js";

const SOAK = fileURLToPath(new URL("../bench/soak.js", import.meta.url));
/** In milliseconds: a minute, and what a busy machine takes to finish the last graphs. */
const TOO_LONG = 540_000;

test("a minute of random graphs: no job is lost, wrong or run twice", { timeout: TOO_LONG, ...ONLY_LONG }, (t) => {
  const run = spawnSync(process.execPath, [SOAK, "--minutes", "1", "--seed", "1"], {
    encoding: "utf8",
    timeout: TOO_LONG,
  });
  for (const line of run.stdout.split("\n")) t.diagnostic(line);
  assert.equal(run.stderr, "");
  // Its table says what was wrong; so it stands with the failure.
  assert.equal(run.status, 0, run.stdout);
});
