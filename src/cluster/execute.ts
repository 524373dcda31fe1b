/**
 * What a worker's threads run: a job of a cluster, as a job of the local system. Reading its arguments and writing its
 * result as text happens here, on many threads, not on the one that talks to the database.
 */
import { currentEngine } from "../api/current.js";
import type { Job } from "../api/job.js";
import { DONE } from "../api/outcomes.js";
import { isThenable } from "../values/thenable.js";
import { type Mark, markBegun } from "./begin-log.js";
import { withKey } from "./idempotency.js";
import { resultToText, valueFromBytes, valueFromText } from "./values.js";

/** What a job's cell says: whether it may be taken back. */
export const WAITING = 0;
export const BEGUN = 1;
export const WITHDRAWN = 2;

/** What is to be run. */
export interface Execution {
  /** The cells of the worker's jobs, on shared memory, and this one's. */
  readonly cells: Int32Array;
  readonly cell: number;
  /** The function's number on each thread of the local system. */
  readonly fn: number;
  readonly key: string;
  readonly maxBytes: number;
  /** Where to write that it has begun. */
  readonly mark: Mark | undefined;
  /** Its arguments, as text. */
  readonly args: string;
  /** Arguments that are other jobs' results. */
  readonly uses: readonly (readonly [position: number, result: Input])[];
}

/** A result: as text or, where it is large, as bytes on shared memory. */
export type Input = string | Uint8Array;

/** For functions that are not known to give promises. @returns undefined if the job was withdrawn before */
export function execute(execution: Execution): string | undefined | Promise<string | undefined> {
  const { cells, cell, maxBytes, mark, key, fn, args, uses } = execution;
  // Settles with the worker that gives back what has not begun: either it runs here, or elsewhere.
  if (Atomics.compareExchange(cells, cell, WAITING, BEGUN) !== WAITING) return undefined;
  if (mark !== undefined) markBegun(mark);
  const given = args === "" ? [] : (valueFromText(args) as unknown[]);
  for (const [position, result] of uses) given[position] = handleTo(result);
  const result = withKey(key, () => currentEngine().functions.get(fn)(...given));
  if (!isThenable(result)) return resultToText(result, maxBytes);
  return (async () => resultToText(await result, maxBytes))();
}

/** For functions that give promises. */
export async function executeAsynchronous(execution: Execution): Promise<string | undefined> {
  return await execute(execution);
}

/** A handle to a job with this result, as on one machine a function is given one. */
function handleTo(result: Input): Job<unknown> {
  const value = typeof result === "string" ? valueFromText(result) : valueFromBytes(result.slice());
  return currentEngine().settledHandle(DONE, value);
}
