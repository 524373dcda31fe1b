/** A system that has ended is collected, however it has ended, with its shared memory and all that its jobs were given. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { HANGS, PATIENCE } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";

const PROGRAM = fileURLToPath(new URL("./support/leak-program.js", import.meta.url));

const ENDS = {
  plain: "shut down",
  force: "shut down by force, while jobs ran",
  killed: "with workers that were killed or died, and then shut down",
  givenUp: "given up, as its workers died again and again",
  notCreated: "whose workers could not start",
  signals: "that goes on: of its jobs that have settled, a long-lived signal keeps none",
};

/** Those that take the longest, as workers die or start again and again. */
const SLOW = ["killed", "givenUp", "notCreated"];

for (const [name, what] of Object.entries(ENDS)) {
  test(`nothing is left of a system ${what}`, { ...HANGS, ...(SLOW.includes(name) && ONLY_LONG) }, () => {
    const run = spawnSync(process.execPath, ["--expose-gc", PROGRAM, name, `${bound(2, 4)}`], {
      encoding: "utf8",
      timeout: PATIENCE,
    });
    assert.equal(run.stderr, "");
    assert.equal(run.status, 0);
    assert.equal(run.stdout, "[]\n");
  });
}
