/** The lock of an embedded database's folder: one process at a time has it, however those before it have ended. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { HANGS } from "../support/hangs.js";
import { bound } from "../support/long.js";
import { folder } from "./support/clusters.js";

const { lockDirectory }: typeof import("../../dist/cluster/lock.js") = await import(
  new URL("../../src/cluster/lock.js", import.meta.url).href
);
const PROGRAM = fileURLToPath(new URL("./support/lock-program.js", import.meta.url));

/** A process that locks a folder when it is told to, says whether it could, and keeps it until it ends. */
async function contender(
  t: TestContext,
  directory: string,
): Promise<{ process: ChildProcess; lock: () => Promise<string> }> {
  const child = spawn(process.execPath, [PROGRAM, directory], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  const lock = async () => {
    child.stdin.write("lock\n");
    const [answer] = await once(child.stdout, "data");
    return String(answer).trim();
  };
  return { process: child, lock };
}

async function die({ process }: { process: ChildProcess }): Promise<void> {
  process.kill("SIGKILL");
  await once(process, "exit");
}

test(
  "a folder that another process has is refused, with its number; one that was killed has it no more",
  HANGS,
  async (t) => {
    const directory = folder(t)("runs");
    const other = await contender(t, directory);
    assert.equal(await other.lock(), "locked");
    assert.throws(
      () => lockDirectory(directory),
      new RegExp(
        `^Error: the embedded database in .*runs is used by process ${other.process.pid}, and it serves one at a time`,
      ),
    );
    await die(other);
    const unlock = lockDirectory(directory);
    assert.throws(() => lockDirectory(directory), /is used by this process already/);
    unlock();
    lockDirectory(directory)();
  },
);

test(
  "many that want a folder at once, also after one that was killed: one gets it, and leaves nothing behind",
  HANGS,
  async (t) => {
    const at = folder(t);
    const before = await contender(t, at("runs"));
    assert.equal(await before.lock(), "locked");
    for (let round = 0; round < bound(3, 20); round++) {
      const all = await Promise.all(Array.from({ length: 6 }, () => contender(t, at("runs"))));
      if (round === 0) await die(before);
      const answers = await Promise.all(all.map(({ lock }) => lock()));
      assert.equal(answers.filter((answer) => answer === "locked").length, 1, answers.join());
      await Promise.all(all.map(die));
      assert.equal(readdirSync(at("")).filter((name) => name.includes(".lock.")).length, 1);
    }
  },
);

test("a lock of another machine is respected; one of an earlier process with the same number is not", HANGS, (t) => {
  const at = folder(t);
  writeFileSync(at("runs.lock.4"), JSON.stringify({ pid: process.pid, started: "", host: `not-${hostname()}` }));
  assert.throws(() => lockDirectory(at("runs")), /by process \d+ of not-.* delete the \.lock file/);
  writeFileSync(at("runs.lock.4"), JSON.stringify({ pid: process.pid, started: "1", host: hostname() }));
  if (process.platform === "linux") lockDirectory(at("runs"))();
});
