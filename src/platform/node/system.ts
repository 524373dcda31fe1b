/** The machine, and what users listen to. */
export { EventEmitter } from "node:events";
export { availableParallelism } from "node:os";
