/** Timers, microtasks and clocks as they are when heddle is loaded: see node/clock.ts. */

const { performance, queueMicrotask } = globalThis;
const setTimeout = globalThis.setTimeout.bind(globalThis);
const clearTimeout = globalThis.clearTimeout.bind(globalThis);
const setInterval = globalThis.setInterval.bind(globalThis);
const clearInterval = globalThis.clearInterval.bind(globalThis);

/** Milliseconds since this page or thread began; a fraction too. */
export const elapsed: () => number = performance.now.bind(performance);

const origin = performance.timeOrigin;

/** Whole milliseconds of a clock that all threads share and that never goes back; they begin anew at 2^31. */
export function now(): number {
  return Math.floor(origin + elapsed()) % 2 ** 31;
}

/** Calls `work` as soon as the code that runs now has ended. */
export function asMicrotask(work: () => void): void {
  queueMicrotask(work);
}

/** Work for later turns, the oldest first. A message begins each of these turns, as a timer would take 4 ms. */
const turns: (() => void)[] = [];
const { port1: bell, port2: ring } = new MessageChannel();
bell.onmessage = () => turns.shift()?.();

/** Calls `work` in the next turn of the event loop. */
export function nextTurn(work: () => void): void {
  turns.push(work);
  ring.postMessage(undefined);
}

/** Goes round the event loop once. */
export function turn(): Promise<void> {
  return new Promise(nextTurn);
}

/** Calls `work` every so many milliseconds. @returns how to end it */
export function every(milliseconds: number, work: () => void): () => void {
  const timer = setInterval(work, milliseconds);
  return () => clearInterval(timer);
}

/** Calls `work` once, in so many milliseconds. @returns how to have it not called */
export function after(milliseconds: number, work: () => void): () => void {
  const timer = setTimeout(work, milliseconds);
  return () => clearTimeout(timer);
}

/** As `turn`: a page lives as long as it is open. */
export const turnIfAlive = turn;

/** Does nothing: a page stays without a reason. @returns what the caller calls at the end, which does nothing either */
export function hold(): () => void {
  return () => {};
}
