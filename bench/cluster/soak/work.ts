/** The job functions of the cluster's soak. */
import { randomUUID } from "node:crypto";
import { appendFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "heddle";
import { note, type Spot } from "./notes.js";
import { mixed, numberOf, type Value, valueFor } from "./values.js";

/** What a job needs to know. */
export interface Place extends Spot {
  /** How long it takes, in milliseconds. */
  readonly amount: number;
  /** How large its result is; 0: a number. */
  readonly bytes: number;
  /** How many executions fail. */
  readonly throws: number;
}

/** What a job has thrown that was to throw. */
export const MEANT = "meant to fail";

function begin(place: Place): string {
  const execution = randomUUID();
  note(place, execution, "begun");
  return execution;
}

function end(place: Place, execution: string, inputs: readonly Value[]): Value {
  const value = valueFor(mixed(place.job, inputs.map(numberOf)), place.bytes);
  note(place, execution, "ended");
  return value;
}

function fail(place: Place, execution: string): never {
  note(place, execution, "threw");
  throw new RangeError(MEANT);
}

/** Keeps its thread busy. */
export function busy(place: Place, ...inputs: Job<Value>[]): Value {
  const execution = begin(place);
  const over = performance.now() + place.amount;
  while (performance.now() < over);
  return end(
    place,
    execution,
    inputs.map((input) => input.wait()),
  );
}

/** Keeps no thread. */
export async function waiting(place: Place, ...inputs: Job<Value>[]): Promise<Value> {
  const execution = begin(place);
  await new Promise((resolve) => setTimeout(resolve, place.amount));
  return end(place, execution, await Promise.all(inputs));
}

export function failing(place: Place, ..._inputs: Job<Value>[]): Value {
  return fail(place, begin(place));
}

/** Fails as often as its place says. */
export function flaky(place: Place, ...inputs: Job<Value>[]): Value {
  const execution = begin(place);
  const file = join(place.folder, "..", `${place.graph}-${place.job}`);
  appendFileSync(file, ".");
  if (statSync(file).size <= place.throws) return fail(place, execution);
  return end(
    place,
    execution,
    inputs.map((input) => input.wait()),
  );
}

/** Takes its whole process with it. */
export function poison(place: Place, ..._inputs: Job<Value>[]): Value {
  begin(place);
  process.kill(process.pid, "SIGKILL");
  for (;;);
}

/** Not there in the older version. */
export function newer(place: Place, ...inputs: Job<Value>[]): Value {
  return busy(place, ...inputs);
}
