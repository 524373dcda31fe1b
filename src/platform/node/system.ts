/** The machine, and what users listen to. */
export { EventEmitter } from "node:events";
export { availableParallelism } from "node:os";

/** Why there is no memory that threads share, and what to do; undefined where there is, as here. */
export function withoutSharedMemory(): string | undefined {
  return undefined;
}

/** What this runtime is called if threads take no options of processes, nor limits of memory. */
export function withoutProcess(): string | undefined {
  return undefined;
}

/** Whether the stacks of threads are small, and not ours to size. */
export const smallStacks: boolean = false;
