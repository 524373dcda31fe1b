/** What jobs print, and when the process ends. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { HANGS, PATIENCE } from "./support/hangs.js";

const PROGRAM = fileURLToPath(new URL("./support/quiet-program.js", import.meta.url));
const LINES = 20;

/** @returns the lines that a program prints, which must end by itself and well */
function linesOf(program: string): string[] {
  const run = spawnSync(process.execPath, [PROGRAM, program], { encoding: "utf8", timeout: PATIENCE });
  assert.equal(run.stderr, "");
  assert.equal(run.signal, null, "it did not end");
  assert.equal(run.status, 0);
  return run.stdout.split("\n").slice(0, -1);
}

/** Checks that each thread's lines are there, each once and in order. @returns how many there are in all */
function checkOrder(lines: readonly string[]): number {
  const next = new Map<string, number>();
  for (const line of lines) {
    const [thread, number] = line.split(" ");
    assert.equal(Number(number), next.get(thread) ?? 0, lines.join("\n"));
    next.set(thread, Number(number) + 1);
  }
  return lines.length;
}

test("what jobs print appears while they run, in order for each thread", HANGS, async () => {
  const child = spawn(process.execPath, [PROGRAM, "prompt"], { stdio: ["pipe", "pipe", "inherit"], timeout: PATIENCE });
  const ended = new Promise((resolve) => child.on("close", resolve));
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) {
    output += text;
    // Only now may the jobs end that have printed most of this.
    if (output.split("\n").length > 3 * LINES) child.stdin.end();
  }
  assert.equal(await ended, 0);
  const lines = output.split("\n").slice(0, -1);
  assert.equal(lines.pop(), "end");
  assert.equal(checkOrder(lines), 3 * LINES);
});

for (const awaited of ["job", "group", "all", "asynchronous"]) {
  test(`an awaited ${awaited} keeps the process alive until it has settled and its output is there`, HANGS, () => {
    assert.equal(checkOrder(linesOf(awaited)), LINES);
  });
}

test("what jobs print while the main thread waits synchronously is all there in the end, in order", HANGS, () => {
  assert.equal(checkOrder(linesOf("synchronous")), LINES);
});

test("an idle system, or one with jobs that nobody awaits, lets the process end", HANGS, () => {
  assert.deepEqual(linesOf("idle"), []);
  assert.deepEqual(linesOf("unawaited"), []);
});

test("ref keeps the process alive until unref; what is awaited then still does", HANGS, () => {
  assert.deepEqual(linesOf("referenced"), ["still here"]);
  assert.equal(checkOrder(linesOf("referencedAndAwaited")), LINES);
});

test("a shutdown keeps the process alive until its end, whatever ref and unref say", HANGS, () => {
  const lines = linesOf("shutDown");
  assert.equal(lines.pop(), "down");
  assert.equal(checkOrder(lines), LINES);
});
