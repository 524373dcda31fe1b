/** The job functions of the soak program. */
import { parentPort } from "node:worker_threads";
import { group, run } from "heddle/job";
import { HANDLE_KINDS, leaveOpen } from "./handles.js";

// See `watchWorkers`.
parentPort?.postMessage("loaded");

/** Where the jobs of a graph say what they have seen: for each job how often it has started, then whether it has ended; then faults. */
export type Marks = Int32Array;

/** How many words the marks of `jobs` jobs take. */
export function marksFor(jobs: number): number {
  return 2 * jobs + 1;
}

/** What a job of a graph needs to know. */
export interface Place {
  readonly index: number;
  readonly prerequisites: readonly number[];
  readonly kind: ResultKind;
}

export const RESULT_KINDS = ["number", "string", "object", "shared", "nothing"] as const;
export type ResultKind = (typeof RESULT_KINDS)[number];

/** The result of a job with this place, wherever it is computed. */
export function resultOf({ index, prerequisites, kind }: Place): unknown {
  const sum = prerequisites.reduce((a, b) => a + b, index);
  if (kind === "number") return sum / 3;
  if (kind === "string") return `job ${sum} – ${"ü".repeat(index % 50)}`;
  if (kind === "object") return { sum, list: prerequisites, map: new Map([[index, new Date(sum)]]) };
  if (kind === "shared") return new Float64Array(new SharedArrayBuffer(64)).fill(sum);
  return undefined;
}

/** Notes the start of a job, and a fault if one that it depends on has not ended. */
function begin(marks: Marks, { index, prerequisites }: Place): void {
  Atomics.add(marks, index, 1);
  const jobs = (marks.length - 1) / 2;
  for (const first of prerequisites) {
    if (Atomics.load(marks, jobs + first) === 0) Atomics.add(marks, marks.length - 1, 1);
  }
}

/** Notes the end of a job. @returns its result */
function end(marks: Marks, place: Place): unknown {
  Atomics.store(marks, (marks.length - 1) / 2 + place.index, 1);
  return resultOf(place);
}

function spin(milliseconds: number): void {
  const over = performance.now() + milliseconds;
  while (performance.now() < over);
}

export function plain(marks: Marks, place: Place, milliseconds: number): unknown {
  begin(marks, place);
  spin(milliseconds);
  return end(marks, place);
}

export async function asynchronous(marks: Marks, place: Place, milliseconds: number): Promise<unknown> {
  begin(marks, place);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return end(marks, place);
}

/** What a job has thrown that was to throw. */
export const MEANT = "meant to fail";

export function failing(marks: Marks, place: Place): never {
  begin(marks, place);
  throw new RangeError(MEANT);
}

export function exiting(marks: Marks, place: Place, code: number): never {
  begin(marks, place);
  process.exit(code);
}

/** Ends well; its worker dies soon after. */
export function throwingOutside(marks: Marks, place: Place, milliseconds: number): unknown {
  begin(marks, place);
  setTimeout(() => {
    throw new RangeError(MEANT);
  }, milliseconds);
  return end(marks, place);
}

/** Ends, and leaves a handle open. */
export function leaving(marks: Marks, place: Place, kind: number): unknown {
  begin(marks, place);
  leaveOpen(HANDLE_KINDS[kind]);
  return end(marks, place);
}

export function child(value: number): number {
  return value;
}

/** What `parent` and `awaitingParent` throw if a child's result is wrong. */
export const WRONG_SUM = "the children's sum is wrong";

function checkSum(sum: number, children: number): void {
  if (sum !== (children * (children - 1)) / 2) throw new Error(`${WRONG_SUM}: ${sum} of ${children}`);
}

/** Spawns children and waits for them, whose results it adds up. */
export function parent(marks: Marks, place: Place, children: number): unknown {
  begin(marks, place);
  const spawned = Array.from({ length: children }, (_, k) => run(child, k));
  checkSum(
    spawned.reduce((sum, job) => sum + job.wait(), 0),
    children,
  );
  return end(marks, place);
}

export async function awaitingParent(marks: Marks, place: Place, children: number): Promise<unknown> {
  begin(marks, place);
  const results = await Promise.all(Array.from({ length: children }, (_, k) => run(child, k)));
  checkSum(
    results.reduce((sum, value) => sum + value, 0),
    children,
  );
  return end(marks, place);
}

export function count(cells: Int32Array, index: number): void {
  Atomics.add(cells, index, 1);
}

/** Runs a group of jobs, each of which counts in a cell of its own. */
export function groupParent(marks: Marks, place: Place, members: number): unknown {
  begin(marks, place);
  const cells = new Int32Array(new SharedArrayBuffer(4 * members));
  const jobs = group();
  for (let k = 0; k < members; k++) jobs.run(count, cells, k);
  jobs.wait();
  if (cells.some((runs) => runs !== 1)) throw new Error(`${WRONG_SUM}: ${cells} of a group`);
  return end(marks, place);
}
