/**
 * The built library, fitted for models: copied, with queues that are small and loops that look around once
 * instead of some hundred times, as more of the same adds states and no behaviour. A mutant is such a copy in
 * which, besides, one step is weakened.
 */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";

/** In a file of the library, `from`, which stands there once, becomes `to`. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const FITTINGS: readonly Change[] = [
  // Microtasks are taken as they are when the library is loaded: none runs here.
  { file: "platform/node/clock", from: "queueMicrotask(work);", to: "void work;" },
  { file: "sync/deque", from: "const FIRST_LOG = 10;", to: "const FIRST_LOG = 1;" },
  { file: "scheduler/graph", from: "const frontier = new Frontier();", to: "let frontier = new Frontier();" },
  { file: "scheduler/wait", from: "const SPINS = 300;", to: "const SPINS = 0;" },
  { file: "scheduler/wait", from: "const PATIENCE = 1000;", to: "const PATIENCE = Number.POSITIVE_INFINITY;" },
  { file: "scheduler/main-loop", from: "const SLICE = 10;", to: "const SLICE = Number.POSITIVE_INFINITY;" },
  { file: "scheduler/pause", from: "const DRAIN = 1;", to: "const DRAIN = 0;" },
  { file: "scheduler/pause", from: "const PATIENCE = 20;", to: "const PATIENCE = -1;" },
];

/** A program is stopped at each step: what it leaves behind in the scratch space of a module is cleared before the next run. */
const SCRATCH: Readonly<Record<string, string>> = {
  "scheduler/graph":
    "export function clearScratch() { stack.length = 0; frontier = new Frontier(); published = false; nowReady = false; }",
  "scheduler/topology": "export function clearScratch() { stack.length = order.length = pins.length = 0; }",
};

const BUILT = new URL("../../../src/", import.meta.url);
const COPIES = new URL("../../../model/", import.meta.url);

type Scratch = { clearScratch(): void };

export interface Library {
  readonly channel: typeof import("../../../dist/sync/channel.js");
  readonly deque: typeof import("../../../dist/sync/deque.js");
  readonly eventCount: typeof import("../../../dist/sync/event-count.js");
  readonly messageQueue: typeof import("../../../dist/sync/message-queue.js");
  readonly gate: typeof import("../../../dist/sync/gate.js");
  readonly countdown: typeof import("../../../dist/sync/countdown.js");
  readonly layout: typeof import("../../../dist/memory/layout.js");
  readonly pool: typeof import("../../../dist/memory/pool.js");
  readonly context: typeof import("../../../dist/scheduler/context.js");
  readonly control: typeof import("../../../dist/scheduler/control.js");
  readonly controlled: typeof import("../../../dist/scheduler/controlled.js");
  readonly watch: typeof import("../../../dist/scheduler/watch.js");
  readonly finish: typeof import("../../../dist/scheduler/finish.js");
  readonly graph: typeof import("../../../dist/scheduler/graph.js") & Scratch;
  readonly topology: Scratch;
  readonly mainLoop: typeof import("../../../dist/scheduler/main-loop.js");
  readonly group: typeof import("../../../dist/scheduler/group.js");
  readonly recovery: typeof import("../../../dist/scheduler/recovery.js");
  readonly rank: typeof import("../../../dist/scheduler/rank.js");
  readonly ready: typeof import("../../../dist/scheduler/ready.js");
  readonly slots: typeof import("../../../dist/scheduler/slots.js");
  readonly wait: typeof import("../../../dist/scheduler/wait.js");
  readonly workerLoop: typeof import("../../../dist/scheduler/worker-loop.js");
  readonly engine: typeof import("../../../dist/api/engine.js");
}

let copies = 0;

/** Loads the library, with `changes`. */
export async function load(...changes: readonly Change[]): Promise<Library> {
  const folder = new URL(`${process.pid}-${++copies}/`, COPIES);
  cpSync(BUILT, folder, { recursive: true });
  try {
    for (const { file, from, to } of [...FITTINGS, ...changes]) {
      const path = new URL(`${file}.js`, folder);
      const source = readFileSync(path, "utf8");
      assert.equal(source.split(from).length, 2, `"${from}" must stand in ${file}.js once`);
      writeFileSync(
        path,
        source.replace(from, () => to),
      );
    }
    for (const [file, text] of Object.entries(SCRATCH)) {
      writeFileSync(new URL(`${file}.js`, folder), `\n${text}\n`, { flag: "a" });
    }
    const part = (name: string) => import(new URL(`${name}.js`, folder).href);
    return {
      channel: await part("sync/channel"),
      deque: await part("sync/deque"),
      eventCount: await part("sync/event-count"),
      messageQueue: await part("sync/message-queue"),
      gate: await part("sync/gate"),
      countdown: await part("sync/countdown"),
      layout: await part("memory/layout"),
      pool: await part("memory/pool"),
      context: await part("scheduler/context"),
      control: await part("scheduler/control"),
      controlled: await part("scheduler/controlled"),
      watch: await part("scheduler/watch"),
      finish: await part("scheduler/finish"),
      graph: await part("scheduler/graph"),
      topology: await part("scheduler/topology"),
      mainLoop: await part("scheduler/main-loop"),
      group: await part("scheduler/group"),
      recovery: await part("scheduler/recovery"),
      rank: await part("scheduler/rank"),
      ready: await part("scheduler/ready"),
      slots: await part("scheduler/slots"),
      wait: await part("scheduler/wait"),
      workerLoop: await part("scheduler/worker-loop"),
      engine: await part("api/engine"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
