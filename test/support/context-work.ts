/** Job functions that enter asynchronous contexts, and others that say in which they run. */
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import { run, signal } from "heddle/job";

export const storage = new AsyncLocalStorage<string>();

export function see(): string | undefined {
  return storage.getStore();
}

export function enter(name: string): string | undefined {
  const before = see();
  storage.enterWith(name);
  return before;
}

export function enterAndFail(name: string): void {
  storage.enterWith(name);
  throw new Error(name);
}

/** Waits for a job that enters a context. @returns what it has seen, and this one before and after */
export function enterInside(first: string | undefined): (string | undefined)[] {
  if (first !== undefined) storage.enterWith(first);
  const inside = run(enter, "inside").wait();
  const after = see();
  storage.enterWith("last");
  return [inside, after, run(see).wait(), see()];
}

/** Waits inside a context that ends with the call. */
export function seeInside(): (string | undefined)[] {
  return storage.run("outside", () => [run(see).wait(), see()]);
}

/** Says in which context it goes on, each time that others have gone on meanwhile. */
export async function keep(name: string, by: "run" | "enterWith"): Promise<(string | undefined)[]> {
  const seen = [see()];
  const go = async () => {
    for (let k = 0; k < 3; k++) {
      await pause(k);
      seen.push(see());
      await run(see);
      seen.push(see());
    }
  };
  if (by === "run") await storage.run(name, go);
  else {
    storage.enterWith(name);
    await go();
  }
  return seen;
}

/** Gives what begins only when it is awaited, as the queries of some libraries. */
export function lazy(name: string): PromiseLike<string | undefined> {
  storage.enterWith(name);
  return {
    then: (resolve, reject) => Promise.resolve(see()).then(resolve, reject),
  };
}

/** Says in which context it hears that it is to stop. */
export function stopIn(name: string, started: Int32Array): Promise<string | undefined> {
  storage.enterWith(name);
  const { promise, resolve } = deferred<string | undefined>();
  signal().addEventListener("abort", () => {
    const seen = see();
    resolve(seen);
    Atomics.store(started, 1, seen === name ? 1 : 2);
  });
  Atomics.store(started, 0, 1);
  return promise;
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** Keeps its worker at work until the second cell changes; counts itself in the first. */
export function hold(cells: Int32Array): void {
  Atomics.add(cells, 0, 1);
  Atomics.wait(cells, 1, 0);
}

/** As `enter`, and says whether it was on the main thread. */
export function enterHere(name: string): [boolean, string | undefined] {
  return [isMainThread, enter(name)];
}

export function fail(): void {
  throw new Error("meant to fail");
}
