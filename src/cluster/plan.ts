/** A graph as it is kept in the database with its run: what each job is called, and what depends on it. */
import v8 from "node:v8";
import { DependencyCycleError, PayloadTooLargeError } from "../api/errors.js";
import { decode } from "../values/encoding/reader.js";
import { encode } from "../values/encoding/writer.js";
import { InvalidGraphError } from "./errors.js";
import { labelOf, queueOf } from "./functions.js";
import type { ClusterJob } from "./graph.js";
import type { Turns } from "./turns.js";
import { BY_V8 } from "./values.js";

/** Grows when older versions can't read it. */
export const FORMAT = 2;

interface Stored {
  /** Names of functions. */
  readonly functions: readonly string[];
  /** The function of each job, by its place in `functions`. */
  readonly functionOf: Int32Array;
  /** Names of their own that jobs have. */
  readonly names: ReadonlyMap<number, string>;
  /** Where the dependants of each job begin in `dependants`; one more for the end of the last. */
  readonly starts: Int32Array;
  readonly dependants: Int32Array;
}

type Jobs = readonly ClusterJob<unknown>[];

export class Plan {
  readonly #stored: Stored;
  /** Of jobs with names of their own, by these. */
  #numbers: ReadonlyMap<string, number> | undefined;

  private constructor(stored: Stored) {
    this.#stored = stored;
  }

  /** @throws InvalidGraphError, PayloadTooLargeError, DependencyCycleError */
  static async of(jobs: Jobs, turns: Turns): Promise<Plan> {
    if (jobs.length === 0) throw new InvalidGraphError("the graph has no jobs; add some with graph.spawn");
    await checkSize(jobs, turns);
    const names = await namesOf(jobs, turns);
    const { starts, dependants } = await edgesOf(jobs, turns);
    await checkCycles(jobs, starts, dependants, turns);
    const numbers = new Map<string, number>();
    const functionOf = new Int32Array(jobs.length);
    await turns.each(jobs, ({ _function: { name } }, k) => {
      if (!numbers.has(name)) numbers.set(name, numbers.size);
      functionOf[k] = numbers.get(name)!;
    });
    return new Plan({ functions: [...numbers.keys()], functionOf, names, starts, dependants });
  }

  /** @param bytes of `toBytes`, or what heddle 0.1 has stored */
  static fromBytes(bytes: Uint8Array): Plan {
    return new Plan((bytes[0] === BY_V8 ? v8.deserialize(bytes) : decode(bytes)) as Stored);
  }

  toBytes(): Uint8Array {
    return encode(this.#stored);
  }

  get size(): number {
    return this.#stored.functionOf.length;
  }

  /** What the job is called in errors. */
  nameOf(job: number): string {
    return this.#stored.names.get(job) ?? labelOf(this.#functionOf(job));
  }

  queueOf(job: number): string {
    return queueOf(this.#functionOf(job));
  }

  /** The queues that its jobs are in. */
  get queues(): string[] {
    return [...new Set(this.#stored.functions.map(queueOf))];
  }

  /** The number of the job with a name of its own. */
  numberOf(name: string): number | undefined {
    this.#numbers ??= new Map([...this.#stored.names].map(([job, each]) => [each, job]));
    return this.#numbers.get(name);
  }

  hasDependants(job: number): boolean {
    const { starts } = this.#stored;
    return starts[job] < starts[job + 1];
  }

  /** Whether a job that depends on this one directly is in another queue. */
  hasDependantsElsewhere(job: number): boolean {
    const { starts, dependants } = this.#stored;
    const queue = this.queueOf(job);
    for (let k = starts[job]; k < starts[job + 1]; k++) if (this.queueOf(dependants[k]) !== queue) return true;
    return false;
  }

  /** All jobs that depend on a job, directly or not. */
  dependantsOf(job: number): number[] {
    const { starts, dependants } = this.#stored;
    const found = new Set<number>([job]);
    // A set gives what is added to it while it is gone through.
    for (const each of found) for (let k = starts[each]; k < starts[each + 1]; k++) found.add(dependants[k]);
    found.delete(job);
    return [...found];
  }

  #functionOf(job: number): string {
    return this.#stored.functions[this.#stored.functionOf[job]];
  }
}

/** The bytes that are written for a graph at the most; and of that, what a job takes without its arguments, about. */
const MOST_BYTES = 2 ** 28;
const BYTES_PER_JOB = 512;

/** A graph is written by one transaction. @throws PayloadTooLargeError */
async function checkSize(jobs: Jobs, turns: Turns): Promise<void> {
  let bytes = BYTES_PER_JOB * jobs.length;
  await turns.each(jobs, (job) => {
    bytes += job._args.length;
  });
  if (bytes <= MOST_BYTES) return;
  throw new PayloadTooLargeError(
    `the graph takes ${bytes} bytes with the arguments of all its ${jobs.length} jobs, and ${MOST_BYTES} are the most; submit it as several graphs, give each job more to do, or keep large data in files or object storage and pass where it is`,
    bytes,
    MOST_BYTES,
  );
}

/** @throws InvalidGraphError for names that are not unique */
async function namesOf(jobs: Jobs, turns: Turns): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  const known = new Set<string>();
  await turns.each(jobs, ({ _options: { name }, _index }) => {
    if (name === undefined) return;
    if (known.has(name)) {
      throw new InvalidGraphError(
        `two jobs are called "${name}"; give each a name of its own, as results are asked for by name`,
      );
    }
    known.add(name);
    names.set(_index, name);
  });
  return names;
}

async function edgesOf(jobs: Jobs, turns: Turns): Promise<{ starts: Int32Array; dependants: Int32Array }> {
  const starts = new Int32Array(jobs.length + 1);
  await turns.each(jobs, (job) => {
    for (const { _index } of job._prerequisites) starts[_index + 1]++;
  });
  for (let k = 0; k < jobs.length; k++) starts[k + 1] += starts[k];
  const dependants = new Int32Array(starts[jobs.length]);
  const next = starts.slice();
  await turns.each(jobs, (job) => {
    for (const { _index } of job._prerequisites) dependants[next[_index]++] = job._index;
  });
  return { starts, dependants };
}

/** Takes away jobs without prerequisites until none is left, or a circle (Kahn, 1962). @throws DependencyCycleError */
async function checkCycles(jobs: Jobs, starts: Int32Array, dependants: Int32Array, turns: Turns): Promise<void> {
  const unmet = new Int32Array(jobs.length);
  const ready: number[] = [];
  await turns.each(jobs, (job, k) => {
    unmet[k] = job._prerequisites.size;
    if (unmet[k] === 0) ready.push(k);
  });
  await turns.each(ready, (job) => {
    for (let k = starts[job]; k < starts[job + 1]; k++) if (--unmet[dependants[k]] === 0) ready.push(dependants[k]);
  });
  if (ready.length === jobs.length) return;
  // Each of those left has a prerequisite that is left, too: going back from one to the next must come to one again.
  const path = new Set<ClusterJob<unknown>>();
  let job = jobs[unmet.findIndex((count) => count > 0)];
  while (!path.has(job)) {
    path.add(job);
    for (const first of job._prerequisites) {
      if (unmet[first._index] === 0) continue;
      job = first;
      break;
    }
  }
  const all = [...path];
  const cycle = all.slice(all.indexOf(job)).reverse();
  throw new DependencyCycleError(cycle.map(({ name }) => name));
}
