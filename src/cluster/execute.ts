/**
 * What a worker's threads run: a job of a cluster, as a job of the local system. Reading its arguments and writing its
 * result as text happens here, on many threads, not on the one that talks to the database.
 */
import { currentEngine } from "../api/current.js";
import type { Job } from "../api/job.js";
import { DONE } from "../api/outcomes.js";
import { isThenable } from "../values/thenable.js";
import { markBegun } from "./begin-log.js";
import { withKey } from "./idempotency.js";
import { resultToText, valueFromBytes, valueFromText } from "./values.js";

/** What a job's cell says: whether it may be taken back. */
export const WAITING = 0;
export const BEGUN = 1;
export const WITHDRAWN = 2;

/**
 * What a thread is given for a job. These are arguments of their own, not an object, which would be cloned for each job. In this
 * order:
 *
 * - the cells of the worker's jobs, on shared memory, and this one's;
 * - the function's number on each thread of the local system;
 * - how many bytes the result may take;
 * - where to write that it has begun: the numbers of a mark, or -1 and -1;
 * - its key, of KEY characters, and then its arguments as text, if it has any;
 * - for each argument that is another job's result, its position and the result.
 */
export type Execution = readonly [
  cells: Int32Array,
  cell: number,
  fn: number,
  maxBytes: number,
  file: number,
  position: number,
  text: string,
  ...uses: readonly (number | Input)[],
];

/** Characters of a job's key. */
const KEY = 36;

/** A result: as text or, where it is large, as bytes on shared memory. */
export type Input = string | Uint8Array;

/** For functions that are not known to give promises. @returns undefined if the job was withdrawn before */
export function execute(...execution: Execution): string | undefined | Promise<string | undefined> {
  const [cells, cell, fn, maxBytes, file, position, text, ...uses] = execution;
  // Settles with the worker that gives back what has not begun: either it runs here, or elsewhere.
  if (Atomics.compareExchange(cells, cell, WAITING, BEGUN) !== WAITING) return undefined;
  if (file !== -1) markBegun({ file, position });
  const given = text.length === KEY ? [] : (valueFromText(text.slice(KEY)) as unknown[]);
  for (let k = 0; k < uses.length; k += 2) given[uses[k] as number] = handleTo(uses[k + 1] as Input);
  const result = withKey(text.slice(0, KEY), () => currentEngine().functions.get(fn)(...given));
  if (!isThenable(result)) return resultToText(result, maxBytes);
  return (async () => resultToText(await result, maxBytes))();
}

/** For functions that give promises. */
export async function executeAsynchronous(...execution: Execution): Promise<string | undefined> {
  return await execute(...execution);
}

/** A handle to a job with this result, as on one machine a function is given one. */
function handleTo(result: Input): Job<unknown> {
  const value = typeof result === "string" ? valueFromText(result) : valueFromBytes(result.slice());
  return currentEngine().settledHandle(DONE, value);
}
