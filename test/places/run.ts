/** Runs the programs of the places: each ends well and in time, or is killed with all that it has started. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";

/** A program and its arguments; `node` is this very Node. */
export type Command = readonly string[];

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** For one program, in milliseconds. */
const MOST = 300_000;

const running = new Set<Child>();

// Also when the tests themselves are ended.
process.once("exit", () => {
  for (const child of running) kill(child);
});

/** Kills a program with all that it has started. */
function kill(child: Child): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // All of it has ended.
  }
  // What it has started may have left its group, and hold these.
  child.stdout.destroy();
  child.stderr.destroy();
}

/** Waits until a program has ended. @returns its exit code, or the signal that has ended it */
function ended(child: Child, line: string): Promise<number | string | null> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new Error(`${line} cannot be started: ${error.message}`)));
    child.once("close", (code, signal) => resolve(signal ?? code));
  });
}

/** Runs a program, which must end well within `most` milliseconds. @returns what it printed */
export async function run(
  [command, ...args]: Command,
  cwd: string,
  env: NodeJS.ProcessEnv,
  most = MOST,
): Promise<string> {
  const line = [command, ...args].join(" ");
  const child = spawn(command === "node" ? process.execPath : command, args, {
    cwd,
    detached: true,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    kill(child);
  }, most);
  running.add(child);
  try {
    const end = await ended(child, line);
    assert.ok(!late, `${line}: not at its end after ${most / 1000} s\n${printed}`);
    assert.equal(end, 0, `${line}: ${end}\n${printed}`);
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
  return printed;
}
