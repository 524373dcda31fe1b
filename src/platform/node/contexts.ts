/**
 * In which asynchronous context, which `AsyncLocalStorage` reads, code of the user's runs.
 *
 * To run each job in a context of its own would take as long as a small job itself. So that is done only once code on this
 * thread has entered any context. The job in which that comes about was begun without one of its own: what it has entered is
 * left in its stead when it ends.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { ownResource } from "./opened.js";
import { tap } from "./tripwire.js";

/** A context that was kept, to run code in it later. */
export type Kept = ReturnType<typeof ownResource>;

type Storage = AsyncLocalStorage<unknown>;

const { prototype } = AsyncLocalStorage;
const { enterWith } = prototype;
/** The context of nobody. Nothing of the user's runs in it itself, which could change it. */
const root = ownResource();

/** Whether any context was ever entered on this thread. */
export let contextsInUse = false;
/** Whether code on this thread runs that may have entered contexts, though it was begun without one of its own. */
let unprotected = () => false;
/** What such code has entered. */
const entered = new Set<Storage>();

function note(): void {
  contextsInUse = true;
  if (!unprotected()) ceaseToNotice();
}

const taps = [
  // In some versions it does not call `enterWith`.
  tap(prototype, "run", note),
  tap(prototype, "enterWith", (storage) => {
    entered.add(storage as Storage);
    note();
  }),
];
// Where they cannot be noticed, there may be some.
if (taps.includes(undefined)) contextsInUse = true;

/** Keeps the context in which this is called. */
export function keepContext(): Kept {
  return ownResource();
}

/** A copy of a kept context, which stays as it is whatever is entered in the copy; without one, of that of nobody. */
export function copyOf(context: Kept = root): Kept {
  return context.runInAsyncScope(ownResource);
}

/** Calls `work` in a copy of a kept context, or of that of nobody. */
export function runIn<R>(work: () => R, context?: Kept): R {
  return copyOf(context).runInAsyncScope(work);
}

/** Tells how to find out whether code runs here that `leaveEntered`, or at least `ceaseToNotice`, is called after. */
export function setUnprotected(runs: () => boolean): void {
  unprotected = runs;
}

/** Leaves what code has entered that was begun without a context of its own, before there were any; to be called when it ends. */
export function leaveEntered(): void {
  const left = [...entered];
  entered.clear();
  for (const storage of left) {
    const outside = runIn(() => storage.getStore());
    enterWith.call(storage, outside);
  }
}

/** To be called when no code runs any more that was begun without a context of its own. */
export function ceaseToNotice(): void {
  entered.clear();
  for (const putBack of taps.splice(0)) putBack?.();
}
