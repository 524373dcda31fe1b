/**
 * What jobs write down of their executions, so that it outlives their process: a file for each worker, to which each line is
 * appended as a whole, and which the soak reads.
 */
import { appendFileSync, closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

/** In the environment of a worker: what it is called. */
export const WORKER = "HEDDLE_SOAK_WORKER";

/** Milliseconds on a clock that all processes of a machine share. */
export function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Where a job is: the number of its graph, and its own. */
export interface Spot {
  readonly folder: string;
  readonly graph: number;
  readonly job: number;
}

const EVENTS = ["begun", "ended", "threw"] as const;
type Event = (typeof EVENTS)[number];

/** @param execution a text that names this execution, of all those of the job */
export function note({ folder, graph, job }: Spot, execution: string, event: Event): void {
  appendFileSync(join(folder, process.env[WORKER]!), `${graph} ${job} ${execution} ${event} ${clock()}\n`);
}

/** One execution of a job. */
export interface Execution {
  readonly worker: string;
  readonly begun: number;
  /** When it has ended, and how, if it has. */
  ended?: number;
  threw?: boolean;
}

export class Notes {
  readonly #folder: string;
  /** By file: how far it was read, and the beginning of a line. */
  readonly #files = new Map<string, { read: number; rest: string }>();
  /** By graph and job, and by the name of the execution. */
  readonly #executions = new Map<string, Map<string, Execution>>();
  /** By graph: how many executions. */
  readonly #begun = new Map<number, number>();
  readonly #chunk = Buffer.alloc(2 ** 16);

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads what is new. */
  read(): void {
    for (const worker of readdirSync(this.#folder)) this.#readFile(worker);
  }

  /** How many executions there were. */
  get count(): number {
    return [...this.#begun.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How many executions of a graph's jobs there were. */
  countOf(graph: number): number {
    return this.#begun.get(graph) ?? 0;
  }

  /** The executions of a job, in the order in which they began. */
  of(graph: number, job: number): Execution[] {
    const all = this.#executions.get(`${graph} ${job}`)?.values() ?? [];
    return [...all].sort((a, b) => a.begun - b.begun);
  }

  #readFile(worker: string): void {
    const file = this.#files.get(worker) ?? { read: 0, rest: "" };
    this.#files.set(worker, file);
    const handle = openSync(join(this.#folder, worker), "r");
    for (;;) {
      const length = readSync(handle, this.#chunk, 0, this.#chunk.length, file.read);
      if (length === 0) break;
      file.read += length;
      const lines = (file.rest + this.#chunk.toString("latin1", 0, length)).split("\n");
      file.rest = lines.pop()!;
      for (const line of lines) this.#take(worker, line.split(" "));
    }
    closeSync(handle);
  }

  #take(worker: string, [graph, job, name, event, time]: string[]): void {
    const key = `${graph} ${job}`;
    const executions = this.#executions.get(key) ?? new Map<string, Execution>();
    this.#executions.set(key, executions);
    if (event === "begun") {
      executions.set(name, { worker, begun: Number(time) });
      this.#begun.set(Number(graph), this.countOf(Number(graph)) + 1);
      return;
    }
    const execution = executions.get(name)!;
    execution.ended = Number(time);
    execution.threw = event === "threw";
  }
}
