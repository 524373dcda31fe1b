/** Asynchronous contexts, which browsers do not have: all code runs in the same. */

/** The one context that there is. */
const ONLY = {};

/** Whether any context was ever entered on this thread. */
export const contextsInUse = false;

export function keepContext(): object {
  return ONLY;
}

export function copyOf(): object {
  return ONLY;
}

/** Calls `work`. */
export function runIn<R>(work: () => R): R {
  return work();
}

export function setUnprotected(): void {}

export function leaveEntered(): void {}

export function ceaseToNotice(): void {}
