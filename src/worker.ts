/** What runs on a worker thread: loads the modules, then executes jobs until the system stops. */
import { setCurrent } from "./api/current.js";
import { Engine } from "./api/engine.js";
import { Functions } from "./api/functions.js";
import type { WorkerMessage, WorkerStart } from "./api/messages.js";
import { linksOver } from "./api/worker-pool.js";
import { layoutFor } from "./memory/layout.js";
import { hasPendingWork, parentPort, stayAlive, turn, workerData } from "./platform/node.js";
import { workerLoop } from "./scheduler/worker-loop.js";

const start = workerData as WorkerStart;

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

/** Loads the modules. @throws what a module throws, or an Error if it exports something else here */
async function load(): Promise<Functions> {
  const functions = await Functions.load(start.modules);
  if (functions.names.join() !== start.names.join()) {
    throw new Error(
      `modules export other functions on a worker (${functions.names.join(", ")}) than on the creating thread (${start.names.join(", ")}); exports must not depend on the thread`,
    );
  }
  return functions;
}

function refuse(error: unknown): void {
  try {
    tell({ type: "refused", error });
  } catch {
    tell({ type: "refused", error: new Error(String(error)) });
  }
}

async function main(): Promise<void> {
  let functions: Functions;
  try {
    functions = await load();
  } catch (error) {
    refuse(error);
    return;
  }
  const links = linksOver(start.ports);
  const report = (error: Error) => tell({ type: "unobserved", failure: engine.runner.errorToBytes(error) });
  const layout = layoutFor(start.threads, start.maxJobs);
  const engine = new Engine(start.buffer, layout, start.me, functions, start.concurrency, links, report);
  setCurrent(engine);
  engine.open();
  const letGo = stayAlive();
  tell({ type: "ready" });
  await workerLoop(engine.context, {
    turn: () => {
      engine.codec.objects.receive();
      return turn();
    },
    pending: hasPendingWork,
    awaiting: () => engine.listener.awaiting,
    between: () => {
      engine.listener.settle();
      engine.runner.reportUnobserved();
    },
  });
  for (const port of start.ports) port?.close();
  letGo();
}

void main();
