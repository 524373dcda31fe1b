/**
 * Whether code on this worker has ever opened something that needs the event loop: a timer, a port, a socket, a request. What
 * was unref'd is in no list of the host's; but the host numbers all such things, one after the other. So a number that is
 * further on than what this package has opened itself tells that somebody has opened something, at the cost of one number.
 *
 * What has no number is noticed otherwise: promises that the engine itself settles from outside, when they are first asked for.
 * Other runtimes than Node number only some of it: there, something may always be open.
 */
import { AsyncResource, createHook } from "node:async_hooks";
import * as threads from "node:worker_threads";
import { nextTurn } from "./clock.js";
import { otherRuntime } from "./runtime.js";
import { trip } from "./tripwire.js";

/** The type of this package's own resources. */
const OWN = "heddle";
/** What loading a module opens, and what is soon over: as long as it is not, `hasPendingWork` tells. */
const PASSING = new Set([
  OWN,
  "Immediate",
  "PROMISE",
  "Microtask",
  "TickObject",
  "FSREQCALLBACK",
  "FSREQPROMISE",
  "FILEHANDLE",
  "FILEHANDLECLOSEREQ",
]);

let opened = false;
/** The last number, if nobody but this package has opened anything. */
let known = 0;

function open(): void {
  opened = true;
}

/** To be called when this package opens something itself. */
export function countOwn(): void {
  known++;
}

/** Goes round the event loop once. */
export function turn(): Promise<void> {
  countOwn();
  return new Promise(nextTurn);
}

/** An async resource of this package's. */
export function ownResource(): AsyncResource {
  countOwn();
  return new AsyncResource(OWN);
}

/**
 * Loads the user's modules, and notices from then on what is opened; what loading itself opens does not count.
 *
 * @returns what `load` gives
 */
export async function noticeOpening<T>(load: () => Promise<T>): Promise<T> {
  if (otherRuntime !== undefined) open();
  trip(Atomics, ["waitAsync"], open);
  if (typeof WebAssembly !== "undefined")
    trip(WebAssembly, ["compile", "compileStreaming", "instantiate", "instantiateStreaming"], open);
  const { locks } = threads as { locks?: object };
  if (locks !== undefined) trip(Object.getPrototypeOf(locks), ["request"], open);
  // A debugger makes timers and promises at any time.
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)];
  if (options.some((option) => /^--inspect(-brk|-wait)?(=|$)/.test(option))) open();
  // Only as long as this, since it costs promises time.
  const hook = createHook({
    init: (_, type) => {
      if (!PASSING.has(type)) open();
    },
  }).enable();
  const loaded = await load();
  // With its own microtask only, lest others open something between here and the end of the next one, when promises cease to have numbers.
  await turn();
  hook.disable();
  await null;
  known = new AsyncResource(OWN).asyncId();
  return loaded;
}

/** Whether anything was ever opened. */
export function hasOpened(): boolean {
  if (opened) return true;
  // Messages of other threads come without a port that the code here has opened.
  if (ownResource().asyncId() !== known || process.listenerCount("workerMessage") > 0) open();
  return opened;
}
