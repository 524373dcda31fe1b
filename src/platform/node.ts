/** Node, Deno and Bun: threads, messages received synchronously, the event loop. */
import {
  MessageChannel,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from "node:worker_threads";

export { MessageChannel, type MessagePort, parentPort, Worker, workerData };

/** Room on each worker's stack for jobs that wait inside jobs, in MiB. */
const STACK_MEBIBYTES = 16;

/** An option that says how to read a program from the command line; a worker's program is a file. */
function isInputType(option: string): boolean {
  return option.startsWith("--input-type");
}

/** Starts a thread that runs this package's worker module. */
export function startThread(name: string, data: unknown, transfer: MessagePort[]): Worker {
  return new Worker(new URL("../worker.js", import.meta.url), {
    name,
    workerData: data,
    transferList: transfer,
    ...(process.execArgv.some(isInputType) && { execArgv: process.execArgv.filter((option) => !isInputType(option)) }),
    resourceLimits: { stackSizeMb: STACK_MEBIBYTES },
  });
}

/** Has `last` called when this thread is about to end, in whatever way it does so by itself. */
export function onExit(last: () => void): void {
  process.once("exit", last);
}

/** Takes a message that has already arrived, without going round the event loop. */
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

/** Goes round the event loop once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The longest delay of a timer, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Keeps this thread alive, since a pending `Atomics.waitAsync` alone does not; a worker then sleeps so that
 * its event loop can run. @returns how to end it
 */
export function hold(): () => void {
  const timer = setInterval(() => {}, LONGEST);
  return () => clearInterval(timer);
}

/** Keeps this worker thread alive, also while nothing but `Atomics.waitAsync` is pending. @returns how to end it */
export function stayAlive(): () => void {
  const ignore = () => {};
  parentPort?.on("message", ignore);
  return () => parentPort?.off("message", ignore);
}

/** Whether the thread has timers or requests in flight, which need its event loop. */
export function hasPendingWork(): boolean {
  const resources = process.getActiveResourcesInfo?.() ?? [];
  return resources.some((resource) => resource !== "MessagePort" && resource !== "Immediate");
}
