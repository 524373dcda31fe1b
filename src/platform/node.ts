/** Node, Deno and Bun: threads, messages received synchronously, the event loop. */
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  type ResourceLimits,
  receiveMessageOnPort,
  Worker,
  workerData,
} from "node:worker_threads";
import { countOwn } from "./opened.js";

export { turn } from "./opened.js";
export { MessageChannel, type MessagePort, parentPort, type ResourceLimits, Worker, workerData };

/** Room on each worker's stack for jobs that wait inside jobs, in MiB. */
const STACK_MEBIBYTES = 16;

/** An option that says how to read a program from the command line; a worker's program is a file. */
function isInputType(option: string): boolean {
  return option.startsWith("--input-type");
}

/**
 * Starts a thread that runs this package's worker module.
 *
 * @param limits for its memory
 */
export function startThread(name: string, data: unknown, transfer: MessagePort[], limits: ResourceLimits): Worker {
  return new Worker(new URL("../worker.js", import.meta.url), {
    name,
    workerData: data,
    transferList: transfer,
    ...(process.execArgv.some(isInputType) && { execArgv: process.execArgv.filter((option) => !isInputType(option)) }),
    resourceLimits: { stackSizeMb: STACK_MEBIBYTES, ...limits },
  });
}

/** Has `last` called with the exit code when this thread is about to end, in whatever way it does so by itself. */
export function onExit(last: (code: number) => void): void {
  process.prependOnceListener("exit", last);
}

/** Tells whether a thread still lives, also where the event loop of the one that asks stands still. */
export class Pulse {
  /** For the other thread, which keeps it as long as it lives. */
  readonly other: MessagePort;
  #port: MessagePort;
  /** Not every runtime can move a port to where it is. */
  readonly #works: boolean;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.other = port2;
    port1.unref();
    this.#works = this.#move();
  }

  /** Whether the thread has stopped for good. */
  get stopped(): boolean {
    // Takes in that the other end is closed, if it is; a closed port can no longer be transferred, also not to where it is.
    receiveMessageOnPort(this.#port);
    return this.#works && !this.#move();
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

/** Takes a message that has already arrived, without going round the event loop. A port in it is opened here: see `countOwn`. */
export function receiveNow(port: MessagePort): unknown {
  return receiveMessageOnPort(port)?.message;
}

/** Whole milliseconds of a clock that all threads share and that never goes back; they begin anew at 2^31. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1000 + Math.floor(nanoseconds / 1e6)) % 2 ** 31;
}

/** Calls `work` every so many milliseconds, which does not keep the process alive. @returns how to end it */
export function every(milliseconds: number, work: () => void): () => void {
  const timer = setInterval(work, milliseconds).unref();
  return () => clearInterval(timer);
}

/** As `turn`, if anything else keeps this thread alive; it does not. */
export function turnIfAlive(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve).unref());
}

/** The longest delay of a timer, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Keeps this thread alive, since a pending `Atomics.waitAsync` alone does not; a worker then sleeps so that
 * its event loop can run. @returns how to end it
 */
export function hold(): () => void {
  countOwn();
  const timer = setInterval(() => {}, LONGEST);
  return () => clearInterval(timer);
}

/** Keeps this worker thread alive, also while nothing but `Atomics.waitAsync` is pending. @returns how to end it */
export function stayAlive(): () => void {
  const ignore = () => {};
  parentPort?.on("message", ignore);
  return () => parentPort?.off("message", ignore);
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

/** What this runtime is, if it is not Node 20.19 or newer. */
export function otherThanNode(): string | undefined {
  const { bun, deno, node } = process.versions;
  if (bun !== undefined) return `Bun ${bun}`;
  if (deno !== undefined) return `Deno ${deno}`;
  const [major, minor] = node.split(".").map(Number);
  return major < 20 || (major === 20 && minor < 19) ? `Node ${node}` : undefined;
}
