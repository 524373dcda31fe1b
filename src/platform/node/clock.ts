/**
 * Timers, microtasks and clocks as they are when heddle is loaded. A program may put others in their place: fake timers of a test,
 * which stand still. Those of the modules are the true ones even where the globals were replaced before.
 */
import { performance } from "node:perf_hooks";
import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from "node:timers";

const { hrtime } = process;
const { queueMicrotask } = globalThis;

/** Milliseconds since this process began, or its thread; a fraction too. */
export const elapsed: () => number = performance.now.bind(performance);

/** Whole milliseconds of a clock that all threads share and that never goes back; they begin anew at 2^31. */
export function now(): number {
  const [seconds, nanoseconds] = hrtime();
  return (seconds * 1000 + Math.floor(nanoseconds / 1e6)) % 2 ** 31;
}

/** Calls `work` as soon as the code that runs now has ended. */
export function asMicrotask(work: () => void): void {
  queueMicrotask(work);
}

/** Calls `work` in the next turn of the event loop. */
export function nextTurn(work: () => void): void {
  setImmediate(work);
}

/** Calls `work` every so many milliseconds, which does not keep the process alive. @returns how to end it */
export function every(milliseconds: number, work: () => void): () => void {
  const timer = setInterval(work, milliseconds).unref();
  return () => clearInterval(timer);
}

/** Calls `work` once, in so many milliseconds; keeps the process alive until then. @returns how to have it not called */
export function after(milliseconds: number, work: () => void): () => void {
  const timer = setTimeout(work, milliseconds);
  return () => clearTimeout(timer);
}

/** As `turn`, if anything else keeps this thread alive; it does not. */
export function turnIfAlive(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve).unref());
}

/** The longest delay of a timer, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Keeps this thread alive until what it returns is called. */
export function keepAlive(): () => void {
  const timer = setInterval(() => {}, LONGEST);
  return () => clearInterval(timer);
}
