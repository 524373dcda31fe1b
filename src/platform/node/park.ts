/** Sleeping until shared memory changes. */

/** Taken before the user's modules are loaded, whose first call of it is noticed: see opened.ts. */
export const { waitAsync } = Atomics;

/** Whether this thread may block: on Node all threads may. */
export const mayBlock: boolean = true;
