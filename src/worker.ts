/** What runs on a worker thread: loads the modules, then executes jobs until the system stops. */
import { setCurrent } from "./api/current.js";
import { Engine } from "./api/engine.js";
import { ShutdownError } from "./api/errors.js";
import { Functions } from "./api/functions.js";
import { Links } from "./api/links.js";
import type { WorkerMessage, WorkerStart } from "./api/messages.js";
import { layoutFor } from "./memory/layout.js";
import {
  endNow,
  endWithin,
  hasOpened,
  hasPendingWork,
  noticeOpening,
  onExit,
  printThrough,
  stayAlive,
  takeStartData,
  turn,
} from "./platform/host.js";
import { workerLoop } from "./scheduler/worker-loop.js";
import { describe, isInstance } from "./values/describe.js";

/** How long what is still open on a worker may go on when the system has stopped, in milliseconds. */
const LINGER = 20;

// Before any module of the user's is loaded.
const start = takeStartData() as WorkerStart;

function tell(message: WorkerMessage): void {
  start.control.postMessage(message);
}

/** Loads the modules. @throws what a module throws, or an Error if it exports something else here */
async function load(): Promise<Functions> {
  const functions = await Functions.load(start.modules, (module) => tell({ type: "loading", module }));
  const here = functions.names;
  const there = start.names;
  const length = Math.max(here.length, there.length);
  for (let k = 0; k < length; k++) {
    if (here[k] === there[k]) continue;
    throw new Error(
      `modules export other functions on a worker (number ${k}: ${named(here[k])} of ${here.length}) than on the creating thread (${named(there[k])} of ${there.length}); exports must not depend on the thread`,
    );
  }
  return functions;
}

function named(name: string | undefined): string {
  return name === undefined ? "none" : `"${name}"`;
}

function refuse(thrown: unknown): void {
  const error = isInstance(thrown, Error)
    ? thrown
    : new Error(`a module threw ${describe(thrown)} when a worker loaded it; it must load on every thread`);
  try {
    tell({ type: "refused", error });
  } catch {
    tell({ type: "refused", error: new Error(describe(error)) });
  }
}

async function main(): Promise<void> {
  printThrough((printed) => tell({ type: "printed", printed }));
  let functions: Functions;
  try {
    functions = await noticeOpening(load);
  } catch (error) {
    refuse(error);
    endNow(1);
  }
  const links = new Links(start.ports);
  const report = (error: Error) => tell({ type: "unobserved", failure: engine.runner.errorToBytes(error) });
  const layout = layoutFor(start.threads, start.maxJobs);
  const engine = new Engine(start.buffer, layout, start.me, functions, start.concurrency, links.all, report);
  setCurrent(engine);
  engine.open();
  const letGo = stayAlive(start.control);
  for (const introduction of start.introductions) engine.codec.objects.learn(introduction);
  engine.onAborted = (slot, state) => tell({ type: "aborted", slot, state });
  onExit((code) => {
    engine.closed = new ShutdownError("this worker thread is ending");
    engine.context.noteExit(code);
  });
  tell({ type: "ready" });
  await workerLoop(engine.context, {
    turn: async () => {
      engine.codec.objects.receive();
      engine.listener.turned();
      await turn();
      // Not sooner: a job that was just executed awaits what it has run in a microtask.
      engine.runner.reportUnobserved();
    },
    pending: () => engine.cancellations.listening || hasPendingWork(),
    opened: hasOpened,
    awaiting: () => engine.listener.awaiting,
    called: () => engine.listener.hasNews(),
    between: () => engine.listener.settle(),
  });
  engine.closed = new ShutdownError("this worker thread is ending");
  tell({ type: "stopped" });
  links.close();
  letGo();
  endWithin(LINGER);
}

void main();
