/** Job functions of random graphs that are shut down. Each notes in shared cells that it has started, and that it has ended. */
import { type Job, type JobSystem, shared } from "heddle";
import { group, run } from "heddle/job";

/** For each job how often it has started and how often it has ended; then how many have started too early. */
export type Marks = Int32Array;

export function marksFor(jobs: number): Marks {
  return shared(Int32Array, 2 * jobs + 1);
}

/** What a job of a graph needs to know. */
export interface Place {
  readonly index: number;
  /** The jobs before it. */
  readonly before: readonly number[];
  readonly milliseconds: number;
  /** Jobs that it submits and does not wait for. */
  readonly inside: readonly number[];
}

/** What a job has thrown that was to throw. */
export const MEANT = "meant to fail";

function begin(marks: Marks, { index, before, milliseconds, inside }: Place): void {
  Atomics.add(marks, 2 * index, 1);
  for (const first of before) if (Atomics.load(marks, 2 * first + 1) !== 1) Atomics.add(marks, marks.length - 1, 1);
  inside.forEach((each, k) => {
    if (k % 2 === 0) run(leaf, marks, each, milliseconds);
    else run(leafLater, marks, each, milliseconds);
  });
}

function end<T>(marks: Marks, { index }: Place, result: T): T {
  Atomics.add(marks, 2 * index + 1, 1);
  return result;
}

function spin(milliseconds: number): void {
  const over = performance.now() + milliseconds;
  while (performance.now() < over);
}

function later(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function leaf(marks: Marks, index: number, milliseconds: number): number {
  Atomics.add(marks, 2 * index, 1);
  spin(milliseconds / 2);
  return end(marks, { index } as Place, index);
}

export async function leafLater(marks: Marks, index: number, milliseconds: number): Promise<number> {
  Atomics.add(marks, 2 * index, 1);
  await later(milliseconds);
  return end(marks, { index } as Place, index);
}

export function plain(marks: Marks, place: Place): number {
  begin(marks, place);
  spin(place.milliseconds);
  return end(marks, place, place.index);
}

export function failing(marks: Marks, place: Place): never {
  begin(marks, place);
  throw new RangeError(MEANT);
}

export async function timer(marks: Marks, place: Place): Promise<number> {
  begin(marks, place);
  await later(place.milliseconds);
  return end(marks, place, place.index);
}

export async function rejecting(marks: Marks, place: Place): Promise<never> {
  begin(marks, place);
  await later(place.milliseconds);
  throw new RangeError(MEANT);
}

async function give(value: number): Promise<number> {
  return value;
}

export { give };

export async function child(marks: Marks, place: Place): Promise<number> {
  begin(marks, place);
  const index = await run(give, place.index);
  return end(marks, place, index);
}

function raise(cells: Int32Array): void {
  Atomics.add(cells, 0, 1);
}
async function raiseLater(cells: Int32Array): Promise<void> {
  await null;
  Atomics.add(cells, 0, 1);
}

export { raise, raiseLater };

export async function ofGroup(marks: Marks, place: Place): Promise<number> {
  begin(marks, place);
  const cells = shared(Int32Array, 1);
  const jobs = group();
  for (let k = 0; k < 3; k++) jobs.run(k === 0 ? raise : raiseLater, cells);
  await jobs;
  return end(marks, place, place.index + cells[0] - 3);
}

export async function reading(marks: Marks, place: Place, given: Job<number>): Promise<number> {
  begin(marks, place);
  const value = await given;
  return end(marks, place, place.index + value);
}

export function waiting(marks: Marks, place: Place, given: Job<number>): number {
  begin(marks, place);
  const value = given.wait();
  return end(marks, place, place.index + value);
}

export function waitingInside(marks: Marks, place: Place): number {
  begin(marks, place);
  const index = run(give, place.index).wait();
  return end(marks, place, index);
}

/** On the main thread: how a job shuts its own system down. */
export const inside: { shutdown: JobSystem["shutdown"] | undefined } = { shutdown: undefined };

export function stopping(marks: Marks, place: Place): number {
  begin(marks, place);
  void inside.shutdown?.({ force: place.milliseconds === 0 });
  return end(marks, place, place.index);
}
