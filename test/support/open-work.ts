/** Job functions that leave something open on their worker, or do not come to an end. */
import { execSync, spawn } from "node:child_process";
import { watch } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { BroadcastChannel, MessageChannel, parentPort, Worker } from "node:worker_threads";

/** Else the garbage collector might close it. */
const kept: unknown[] = [];

/** What a job may leave open, or do to its worker, by name. */
const OPENED: Record<string, () => unknown> = {
  interval: () => setInterval(() => {}, 1000),
  timer: () => setTimeout(() => {}, 1e9),
  server: () => new Promise((resolve) => kept.push(createServer().listen(0, "127.0.0.1", () => resolve(0)))),
  "message port": () => {
    const channel = new MessageChannel();
    channel.port1.on("message", () => {});
    return channel;
  },
  "broadcast channel": () => {
    const channel = new BroadcastChannel("heddle: left open");
    channel.onmessage = () => {};
    return channel;
  },
  thread: () => new Worker("setInterval(() => {}, 1000)", { eval: true }),
  "child process": () =>
    spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] }),
  watcher: () => watch(tmpdir()),
  "parentPort listener": () => parentPort?.on("message", () => {}),
  "standard input": () => process.stdin.on("data", () => {}),
  "endless beforeExit handler": () => process.on("beforeExit", () => setTimeout(() => {}, 1)),
  "exit handler that throws": () =>
    process.on("exit", () => {
      throw new Error("on exit");
    }),
  "exit handler that loops": () =>
    process.on("exit", () => {
      for (;;);
    }),
  "closed parentPort": () => {
    parentPort?.removeAllListeners();
    parentPort?.unref();
    parentPort?.close();
  },
  "process.exit of its own": () => {
    process.exit = (() => {}) as unknown as typeof process.exit;
    return setInterval(() => {}, 1000);
  },
  "clock of its own": () => {
    globalThis.setTimeout = globalThis.setImmediate = (() => {}) as unknown as typeof setTimeout & typeof setImmediate;
    return setInterval(() => {}, 1000);
  },
};

export const WAYS = Object.keys(OPENED);

export async function open(name: string): Promise<void> {
  kept.push(await OPENED[name]());
}

/** Waits until `count` of these are there, on as many workers; each leaves something open, and prints now and at the end. */
export function meet(cells: Int32Array, count: number, name: string, words: string): void {
  kept.push(OPENED[name]());
  process.on("exit", () => console.log(`${words}, on exit`));
  Atomics.add(cells, 0, 1);
  while (Atomics.load(cells, 0) < count);
  console.log(words);
}

export function add(a: number, b: number): number {
  return a + b;
}

/** Each of these says when it has begun. */
function begin(cells: Int32Array): void {
  Atomics.store(cells, 0, 1);
}
export function loop(cells: Int32Array): never {
  begin(cells);
  for (;;);
}
export function sleep(cells: Int32Array): void {
  begin(cells);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
export async function wait(cells: Int32Array): Promise<void> {
  begin(cells);
  await new Promise((resolve) => setTimeout(resolve, 1e9));
}
export async function loopLater(cells: Int32Array): Promise<void> {
  await null;
  loop(cells);
}
/** Native code holds the thread up, which it says by a file, until another file is there, which it then removes. */
export function runProgram(begun: string, file: string): void {
  const program = `const fs = require("node:fs"); fs.writeFileSync("${begun}", ""); const look = () => fs.existsSync(process.argv[1]) ? fs.rmSync(process.argv[1]) : setTimeout(look, 20); look()`;
  execSync(`"${process.execPath}" -e '${program}' "${file}"`);
}
/** Ends when it is told to. */
export function waitForWord(cells: Int32Array): string {
  begin(cells);
  while (Atomics.load(cells, 0) !== 2);
  return "done";
}
