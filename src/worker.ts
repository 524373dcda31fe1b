/** `heddle/worker`: what runs on a worker thread. It loads the modules, then executes jobs until the system stops. */
import { setCurrent } from "./api/current.js";
import { Engine } from "./api/engine.js";
import { ShutdownError } from "./api/errors.js";
import { Functions } from "./api/functions.js";
import { Links } from "./api/links.js";
import type { WorkerMessage, WorkerStart } from "./api/messages.js";
import type { Source } from "./api/modules.js";
import { layoutFor } from "./memory/layout.js";
import {
  beEndable,
  endNow,
  endWithin,
  hasOpened,
  hasPendingWork,
  noticeOpening,
  onExit,
  printThrough,
  startData,
  stayAlive,
  turn,
} from "./platform/host.js";
import { workerLoop } from "./scheduler/worker-loop.js";
import { describe, isInstance } from "./values/describe.js";
import { VERSION } from "./version.js";

/** How long what is still open on a worker may go on when the system has stopped, in milliseconds. */
const LINGER = 20;

// Before any module of the user's is loaded, if this is the first that its program imports.
const given = startData(
  (data): data is WorkerStart => (data as Partial<WorkerStart> | undefined)?.heddle !== undefined,
  notStarted,
);

/**
 * Makes this thread one that runs the jobs of a system: what the program consists of that the option `worker` of `JobSystem.create`
 * starts. A bundler finds the job modules by it, as it follows their imports.
 *
 * @param modules the modules that `JobSystem.create` is given without their addresses, in the same order
 * @throws Error on a thread that no JobSystem has started
 * @example
 * // jobs.worker.js
 * import { serve } from "heddle/worker";
 * import * as work from "./work.js";
 *
 * serve(work);
 */
export function serve(...modules: object[]): void {
  const start = given();
  if (start === undefined) throw notStarted();
  void main(start, modules);
}

function notStarted(): Error {
  return new Error(
    'serve() works only on a thread that a JobSystem has started; hand the options on that its option worker is called with: worker: (options) => new Worker(new URL("./jobs.worker.js", import.meta.url), options)',
  );
}

/** Loads the modules. @throws what a module throws, or an Error if it exports something else here */
async function load(start: WorkerStart, given: readonly object[]): Promise<Functions> {
  let next = 0;
  const sources = start.modules.map((url): Source => (url === null ? { module: given[next++] } : { url }));
  if (next > given.length) {
    throw new Error(
      `JobSystem.create was given ${next} modules without their addresses, and serve() ${given.length}; give both the same, in the same order`,
    );
  }
  const functions = await Functions.load(sources, (module) => tell(start, { type: "loading", module }));
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

function tell({ control }: WorkerStart, message: WorkerMessage): void {
  control.postMessage(message);
}

function refuse(start: WorkerStart, thrown: unknown): void {
  const error = isInstance(thrown, Error)
    ? thrown
    : new Error(`a module threw ${describe(thrown)} when a worker loaded it; it must load on every thread`);
  try {
    tell(start, { type: "refused", error });
  } catch {
    tell(start, { type: "refused", error: new Error(describe(error)) });
  }
}

async function main(given: WorkerStart | Promise<WorkerStart>, modules: readonly object[]): Promise<void> {
  const start = await given;
  if (start.heddle !== VERSION) {
    const versions = `this thread was started by heddle ${start.heddle} and serves with heddle ${VERSION}`;
    refuse(start, new Error(`${versions}; install one version`));
    endNow(1);
    return;
  }
  const letEnd = beEndable();
  printThrough((printed) => tell(start, { type: "printed", printed }));
  let functions: Functions;
  try {
    functions = await noticeOpening(() => load(start, modules));
  } catch (error) {
    refuse(start, error);
    endNow(1);
    return;
  }
  const links = new Links(start.ports);
  const report = (error: Error) => tell(start, { type: "unobserved", failure: engine.runner.errorToBytes(error) });
  const layout = layoutFor(start.threads, start.maxJobs);
  const engine = new Engine(start.buffer, layout, start.me, functions, start.concurrency, links.all, report);
  links.onArrival = () => engine.arrived();
  setCurrent(engine);
  engine.open();
  const letGo = stayAlive(start.control);
  for (const introduction of start.introductions) engine.codec.objects.learn(introduction);
  engine.onAborted = (slot, state) => tell(start, { type: "aborted", slot, state });
  onExit((code) => {
    engine.closed = new ShutdownError("this worker thread is ending");
    engine.context.noteExit(code);
  });
  tell(start, { type: "ready" });
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
  tell(start, { type: "stopped" });
  links.close();
  letGo();
  letEnd();
  endWithin(LINGER);
}
