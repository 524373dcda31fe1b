/** A worker's own job system, which runs jobs of the cluster on all its threads. */
import { failureOf } from "../api/failure-errors.js";
import { Functions } from "../api/functions.js";
import type { Job } from "../api/job.js";
import { JobSystem } from "../api/job-system.js";
import type { JobSystemOptions } from "../api/options.js";
import { F_ASYNC, FUNCTION_MASK } from "../memory/layout.js";
import type { Failure } from "../values/failures.js";
import { type Execution, execute, executeAsynchronous } from "./execute.js";
import { type ClusterFunctions, labelOf } from "./functions.js";
import type { JobData } from "./queues.js";

export type LocalOptions = Omit<JobSystemOptions, "modules" | "maxJobs">;

/** What came of a job: its result as text, or why it failed. */
export type Ended = { readonly result: string } | { readonly failure: Failure };

export class LocalSystem {
  readonly #system: JobSystem;
  readonly #functions: ClusterFunctions;
  /** Numbers as on each of the system's threads. */
  readonly #numbers: Functions;
  readonly #maxBytes: number;

  private constructor(system: JobSystem, functions: ClusterFunctions, numbers: Functions, maxBytes: number) {
    this.#system = system;
    this.#functions = functions;
    this.#numbers = numbers;
    this.#maxBytes = maxBytes;
  }

  /** @param report called with failures that no job of the cluster is to blame for */
  static async create(
    functions: ClusterFunctions,
    maxBytes: number,
    options: LocalOptions,
    report: (error: Error) => void,
  ): Promise<LocalSystem> {
    const modules = [...functions.modules, new URL("./execute.js", import.meta.url).href];
    const numbers = await Functions.load(modules);
    const system = await JobSystem.create({ ...options, modules });
    system.on("error", report);
    return new LocalSystem(system, functions, numbers, maxBytes);
  }

  get threads(): number {
    return this.#system.threads;
  }

  /**
   * Runs a job of the cluster.
   *
   * @param results of the jobs that are its arguments, in their order
   * @param signal asks it to stop
   */
  async run(key: string, data: JobData, results: readonly string[], signal: AbortSignal): Promise<Ended> {
    const known = this.#functions.named(data.fn);
    const label = data.name ?? labelOf(data.fn);
    if (known === undefined) {
      const error = new Error(
        `this worker's module has no function "${labelOf(data.fn)}": is it older than the graph?`,
      );
      return { failure: { kind: "threw", job: label, error } };
    }
    const header = this.#numbers.headerOf(known.fn);
    const execution: Execution = {
      fn: header & FUNCTION_MASK,
      key,
      maxBytes: this.#maxBytes,
      args: data.args ?? "",
      uses: (data.uses ?? []).map(([position], k) => [position, results[k]] as const),
    };
    const job: Job<string> = this.#system.spawn(header & F_ASYNC ? executeAsynchronous : execute, execution);
    try {
      return { result: await job.with({ name: label, signal, ...data.limit }) };
    } catch (error) {
      return { failure: failureOf(error, label) };
    }
  }

  /** Stops it, with whatever still runs. */
  async stop(): Promise<void> {
    await this.#system.shutdown({ force: true });
  }
}
