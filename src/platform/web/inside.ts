/** What a thread that runs jobs does itself: it takes what it is started with, and says when it ends. See threads.ts. */
import { turn } from "./clock.js";
import { type Notice, noticeIn } from "./threads.js";

/** How long a thread waits for what it is started with before it says that nobody gives it any, in milliseconds. */
const LONGEST_WAIT = 5_000;

/** A dedicated worker's global scope. */
interface Scope {
  postMessage(message: Notice): void;
  close(): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** This thread's, unless it is a page's main thread, or a worker of another kind. */
const scope = "DedicatedWorkerGlobalScope" in globalThis ? (globalThis as unknown as Scope) : undefined;
const { setTimeout, clearTimeout, reportError } = globalThis;

/**
 * What `startThread` has given to this thread.
 *
 * @param without an error for when nobody gives anything
 * @returns what gives it, or undefined on a thread that cannot have been started so
 */
export function startData<T>(_isStart: unknown, without: () => Error): () => Promise<T> | undefined {
  return () => (scope === undefined ? undefined : asked<T>(scope, without));
}

function asked<T>(scope: Scope, without: () => Error): Promise<T> {
  return new Promise((resolve) => {
    const late = setTimeout(() => reportError(without()), LONGEST_WAIT);
    const heard = (event: MessageEvent) => {
      const notice = noticeIn(event.data);
      if (notice?.heddle !== "start") return;
      event.stopImmediatePropagation();
      scope.removeEventListener("message", heard);
      clearTimeout(late);
      void navigator.locks.request(notice.lock, () => {
        scope.postMessage({ heddle: "locked" });
        resolve(notice.data as T);
        // Held until this thread ends.
        return new Promise(() => {});
      });
    };
    scope.addEventListener("message", heard);
    scope.postMessage({ heddle: "loaded" });
  });
}

/** Ends this worker, once what it has sent is on its way. */
export function endWithin(_milliseconds: number): void {
  void turn().then(() => endNow(0));
}

/** Has this worker ended from outside, as a thread that closes itself goes on for some time. */
export function endNow(code: number): void {
  scope?.postMessage({ heddle: "ends", code });
}

/** Has `last` called when code on this thread ends it by `close`; nothing of that code runs after this. */
export function onExit(last: (code: number) => void): void {
  if (scope === undefined) return;
  scope.close = () => {
    last(0);
    endNow(0);
    // Until this thread is terminated: nothing changes the word.
    const unchanging = new Int32Array(new SharedArrayBuffer(4));
    for (;;) Atomics.wait(unchanging, 0, 0);
  };
}

/** Does nothing: a worker stays until somebody ends it. @returns what the caller calls at the end, which does nothing either */
export function stayAlive(_port: MessagePort): () => void {
  return () => {};
}

/** In a browser, workers print themselves. */
export function printThrough(): void {}

/** Does nothing: a browser ends any worker. @returns what the caller calls at the end, which does nothing either */
export function beEndable(): () => void {
  return () => {};
}
