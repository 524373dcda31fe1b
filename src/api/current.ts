/** The system that executes jobs on this thread at present, for `heddle/job`. */
import type { Engine } from "./engine.js";

let current: Engine | undefined;

/** The engine whose jobs this thread is executing, if there is one. */
export function engineHere(): Engine | undefined {
  return current;
}

/** @returns the one before */
export function setCurrent(engine: Engine | undefined): Engine | undefined {
  const before = current;
  current = engine;
  return before;
}

/** @throws Error outside a job */
export function currentEngine(): Engine {
  if (current === undefined) {
    throw new Error('"heddle/job" works only inside a job; elsewhere, use the JobSystem that you created');
  }
  return current;
}
