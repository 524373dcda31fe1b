/** The machine, and what users listen to. */
export { EventEmitter } from "node:events";
export { availableParallelism } from "node:os";

/** Why threads have no memory in common, and what to do; undefined where they have, as here. */
export const noSharedMemory: string | undefined = undefined;

/** Whether there are processes, whose options and environment threads take. */
export const hasProcesses: boolean = true;
