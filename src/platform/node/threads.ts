/** Threads, their messages, received synchronously too, and what they print. */
import { existsSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout } from "node:timers";
import threads, {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  Worker,
  type WorkerOptions,
} from "node:worker_threads";
import { programAt } from "../../program.js";
import { after, keepAlive } from "./clock.js";
import { countOwn } from "./opened.js";
import { isDeno, otherRuntime } from "./runtime.js";

export type { ResourceLimits, Worker };

/** As it is before any job is loaded, which may put another in its place. */
const { exit } = process;

/** Room on each worker's stack for jobs that wait inside jobs, in MiB. */
const STACK_MEBIBYTES = 16;

/**
 * How deep jobs may wait inside jobs that wait, on the main thread, whose stack has 1 MiB by default, and on a worker: every level
 * takes some of the stack. Deno gives its workers small stacks.
 */
export const DEEPEST = { main: 512, worker: isDeno ? 512 : 1500 };

/** What the user's own `worker` is called with; all of it is for `new Worker`. */
export interface StartOptions extends WorkerOptions {
  readonly name: string;
  /** What browsers ask for, as the file is a module; Node does not look at it. */
  readonly type: "module";
}

/** How the threads of a system are started. */
export interface ThreadOptions {
  /** What inspectors and `ps` show: this, and the thread's number. */
  readonly name: string;
  readonly resourceLimits: ResourceLimits;
  readonly execArgv: readonly string[] | undefined;
  readonly env: WorkerOptions["env"];
  /** Starts the user's own program, which calls `serve`. */
  readonly worker: ((options: StartOptions) => unknown) | undefined;
}

/**
 * Starts a thread that runs jobs. Without `execArgv` it takes over the options of this process, all of which Node accepts so; of those
 * that are given to it Node refuses many.
 *
 * @throws TypeError when `worker` gives something else than a thread; an Error when this package's own program is not there; what
 * Node throws, or `worker`
 */
export function startThread(me: number, data: unknown, transfer: MessagePort[], how: ThreadOptions): Worker {
  const { name, resourceLimits, execArgv, env, worker } = how;
  const options: StartOptions = {
    name: `${name} ${me}`,
    type: "module",
    workerData: data,
    transferList: transfer,
    resourceLimits: { stackSizeMb: STACK_MEBIBYTES, ...resourceLimits },
    ...(execArgv !== undefined && { execArgv: [...execArgv] }),
    ...(env !== undefined && { env }),
  };
  if (worker !== undefined) return checkThread(worker(options));
  const program = programAt("./thread.js", existsSync);
  // With --input-type, Node refuses a program that is a file, and takes one that is a text.
  return hasInputType()
    ? new Worker(`import(${JSON.stringify(program.href)})`, { ...options, eval: true })
    : new Worker(program, options);
}

/** Of any copy of the module, also one that a test runner has put in its place. */
function checkThread(thread: unknown): Worker {
  const { on, terminate } = (thread ?? {}) as Partial<Worker>;
  if (typeof on === "function" && typeof terminate === "function") return thread as Worker;
  throw new TypeError(
    `worker must return a Worker of node:worker_threads, such as new Worker(new URL("./jobs.worker.js", import.meta.url), options), not ${thread === null ? "null" : typeof thread}`,
  );
}

/** Whether Node refuses, on a thread, a program that is a file. */
export function hasInputType(): boolean {
  return [...process.execArgv, process.env.NODE_OPTIONS ?? ""].some((option) => option.includes("--input-type"));
}

/**
 * Takes what `startThread` has given to this thread. After that `workerData` is undefined, as for a worker that was given none.
 *
 * @param isStart whether it is that, and not what the user has given to a thread of his own
 * @returns what gives it, or undefined on a thread that was not started so; in some hosts a promise of it
 */
export function startData<T>(
  isStart: (data: unknown) => data is T,
  _without: () => Error,
): () => T | Promise<T> | undefined {
  const data: unknown = threads.workerData;
  if (!isStart(data)) return () => undefined;
  Object.assign(threads, { workerData: undefined });
  syncBuiltinESMExports();
  return () => data;
}

/**
 * Ends this worker: by itself, as soon as its event loop has nothing to do, but at the latest in so many milliseconds, whatever is
 * open. Exit handlers run in both cases.
 */
export function endWithin(milliseconds: number): void {
  setTimeout(() => exit.call(process), milliseconds).unref();
}

/** Ends this worker, once its exit handlers have run. */
export function endNow(code: number): void {
  exit.call(process, code);
}

/** Has `last` called with the exit code when this thread is about to end, in whatever way it does so by itself. */
export function onExit(last: (code: number) => void): void {
  process.prependOnceListener("exit", last);
}

/** Tells whether a thread still lives, also where the event loop of the one that asks stands still. */
export class Pulse {
  /** For the other thread, which keeps it as long as it lives; some hosts have none. */
  readonly other: MessagePort | undefined;
  #port: MessagePort;
  /** Whether it tells anything: Bun and Deno move a port whose other end is closed as any other, or none at all. */
  readonly works = otherRuntime === undefined;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.other = port2;
    port1.unref();
  }

  /** To be called when the thread has ended, or could not be started. */
  close(): void {
    this.#port.close();
  }

  /** Whether the thread has stopped for good, where it works. */
  get stopped(): boolean {
    // Takes in that the other end is closed, if it is; a closed port can no longer be transferred, also not to where it is.
    receiveMessageOnPort(this.#port);
    return !this.#move();
  }

  #move(): boolean {
    try {
      this.#port = structuredClone(this.#port, { transfer: [this.#port] });
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * Keeps this thread alive, since a pending `Atomics.waitAsync` alone does not; a worker then sleeps so that
 * its event loop can run. @returns how to end it
 */
export function hold(): () => void {
  countOwn();
  return keepAlive();
}

/** Keeps this worker thread alive by a port of its own, also while nothing but `Atomics.waitAsync` is pending. @returns how to end it */
export function stayAlive(port: MessagePort): () => void {
  port.on("message", () => {});
  return () => port.unref();
}

/** What Deno has of the web's locks. */
interface Locks {
  request(name: string, hold: () => Promise<void>): Promise<void>;
}

/**
 * Has `terminate` end this thread whatever it runs. In Deno a thread that is terminated while it runs something goes on for ever,
 * but not if it holds a lock.
 *
 * @returns how to let go of the lock, which keeps the thread alive
 */
export function beEndable(): () => void {
  let release = () => {};
  if (isDeno) {
    const { locks } = globalThis.navigator as unknown as { readonly locks: Locks };
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    void locks.request(`heddle ${crypto.randomUUID()}`, () => held);
  }
  return () => release();
}

/** How long after it has said that a thread has ended it may still run in Deno, in milliseconds: it tells the thread only then. */
const ENDS_WITHIN = 50;

/** Calls `ended` with its exit code when a thread has ended. */
export function whenEnded(thread: Worker, ended: (code: number) => void): void {
  thread.on("exit", (code) => {
    if (isDeno) after(ENDS_WITHIN, () => ended(code));
    else ended(code);
  });
}

/** What a thread has printed, and where. */
export interface Printed {
  readonly stream: "stdout" | "stderr";
  readonly pieces: readonly { readonly chunk: string | Uint8Array; readonly encoding: BufferEncoding }[];
}

/**
 * Hands what this worker prints to `send` at once. Node itself would send one piece, and the next when both event loops have
 * gone round; a worker's stands still while a job runs, and while it sleeps.
 */
export function printThrough(send: (printed: Printed) => void): void {
  for (const stream of ["stdout", "stderr"] as const) {
    // Other runtimes print at once.
    if (!process[stream]._writev) continue;
    process[stream]._writev = (pieces, done) => {
      send({ stream, pieces: pieces.map(({ chunk, encoding }) => ({ chunk, encoding })) });
      done();
    };
  }
}

/** Prints what a worker has handed over. */
export function print({ stream, pieces }: Printed): void {
  for (const { chunk, encoding } of pieces) {
    if (typeof chunk === "string") process[stream].write(chunk, encoding);
    else process[stream].write(chunk);
  }
}

/** Whether the thread has timers, callbacks of a later turn or requests in flight, which need its event loop. */
export function hasPendingWork(): boolean {
  const resources = process.getActiveResourcesInfo?.() ?? [];
  return resources.some((resource) => resource !== "MessagePort");
}
