/** A worker's own job system, which runs jobs of the cluster on all its threads. */
import { existsSync } from "node:fs";
import { JobFailedError, ShutdownError } from "../api/errors.js";
import { failureOf } from "../api/failure-errors.js";
import { Functions } from "../api/functions.js";
import type { Job } from "../api/job.js";
import { JobSystem } from "../api/job-system.js";
import { CONCURRENT, type JobSystemOptions } from "../api/options.js";
import { F_ASYNC, FUNCTION_MASK } from "../memory/layout.js";
import { programAt } from "../program.js";
import type { Failure } from "../values/failures.js";
import type { Mark } from "./begin-log.js";
import { BEGUN, type Execution, execute, executeAsynchronous, type Input, WAITING, WITHDRAWN } from "./execute.js";
import type { Addressed, ClusterFunctions } from "./functions.js";
import { type JobData, nameOf } from "./queues.js";

export type LocalOptions = Omit<JobSystemOptions, "modules" | "maxJobs" | "worker">;

/** What came of a job: its result as text, or why it failed. */
export type Ended = { readonly result: string } | { readonly failure: Failure };

/** Jobs that can be in the system at once, withdrawn ones included. */
const MOST_JOBS = 2 ** 16;

export class LocalSystem {
  readonly #system: JobSystem;
  readonly #functions: ClusterFunctions;
  /** Numbers as on each of the system's threads. */
  readonly #numbers: Functions;
  /** What a result may take now. */
  readonly #maxBytes: () => number;
  readonly #concurrency: number;
  readonly #cells = new Int32Array(new SharedArrayBuffer(4 * MOST_JOBS));
  readonly #free: number[] = Array.from({ length: MOST_JOBS }, (_, cell) => cell);

  private constructor(
    system: JobSystem,
    functions: ClusterFunctions,
    numbers: Functions,
    maxBytes: () => number,
    concurrency: number,
  ) {
    this.#system = system;
    this.#functions = functions;
    this.#numbers = numbers;
    this.#maxBytes = maxBytes;
    this.#concurrency = concurrency;
  }

  /** @param report called with failures that no job of the cluster is to blame for */
  static async create(
    functions: ClusterFunctions,
    maxBytes: () => number,
    options: LocalOptions,
    report: (error: Error) => void,
  ): Promise<LocalSystem> {
    // Whose main thread ran jobs would not hear of the database meanwhile.
    if (options.threads === 0) throw new RangeError("threads must be a whole number from 1 to 256, not 0");
    const sources = [...functions.modules, { url: programAt("./cluster/execute.js", existsSync).href }];
    const numbers = await Functions.load(sources);
    const modules = sources.map(({ url, module }: Addressed) =>
      module === undefined ? url : ([url, module] as const),
    );
    const system = await JobSystem.create({ ...options, modules });
    system.on("error", report);
    return new LocalSystem(system, functions, numbers, maxBytes, options.concurrency ?? CONCURRENT);
  }

  get threads(): number {
    return this.#system.threads;
  }

  /** How many asynchronous jobs it can have in flight. */
  get mostAsynchronous(): number {
    return Math.min(this.#system.threads * this.#concurrency, MOST_JOBS / 2);
  }

  /** Whether its modules have a function. */
  knows(fn: string): boolean {
    return this.#functions.named(fn) !== undefined;
  }

  isAsynchronous(fn: string): boolean {
    const known = this.#functions.named(fn);
    return known !== undefined && (this.#numbers.headerOf(known.fn) & F_ASYNC) !== 0;
  }

  /**
   * Runs a job of the cluster, whose function it knows.
   *
   * @param inputs results of the jobs that are its arguments, in their order
   * @param mark where its thread writes that it has begun; undefined: nowhere
   * @param signal asks it, and others, to stop
   * @returns what comes of it, undefined if it was withdrawn or the system was stopped before it had ended; how to withdraw it,
   * which says whether it has not begun and now never will; and how to ask it alone to stop
   */
  run(
    key: string,
    data: JobData,
    inputs: readonly Input[],
    mark: Mark | undefined,
    signal: AbortSignal,
  ): { ended: Promise<Ended | undefined>; withdraw: () => boolean; abort: (reason: unknown) => void } {
    const cell = this.#free.pop();
    if (cell === undefined) throw new RangeError(`more than ${MOST_JOBS} jobs are in hand`);
    Atomics.store(this.#cells, cell, WAITING);
    let job: Job<string | undefined> | undefined;
    const end = async (): Promise<Ended | undefined> => {
      const label = nameOf(data);
      try {
        job = this.#spawn(cell, key, data, inputs, mark);
        const result = await job.with({ name: label, signal, ...data.limit });
        return result === undefined ? undefined : { result };
      } catch (error) {
        if (error instanceof ShutdownError) return undefined;
        // Not only jobs fail: their arguments may be too large to be handed to a thread.
        if (error instanceof JobFailedError) return { failure: failureOf(error, label) };
        return { failure: { kind: "threw", job: label, error } };
      } finally {
        this.#free.push(cell);
      }
    };
    const ended = end();
    // Settles with the thread that is about to begin it: either it runs here, or elsewhere.
    const withdraw = () => Atomics.compareExchange(this.#cells, cell, WAITING, WITHDRAWN) !== BEGUN;
    const abort = (reason: unknown) => {
      if (job?._isSettled() === false) job._engine.cancellations.abortOne(job._slot, reason);
    };
    return { ended, withdraw, abort };
  }

  #spawn(
    cell: number,
    key: string,
    data: JobData,
    inputs: readonly Input[],
    mark: Mark | undefined,
  ): Job<string | undefined> {
    const header = this.#numbers.headerOf(this.#functions.named(data.fn)!.fn);
    const execution: Execution = [
      this.#cells,
      cell,
      header & FUNCTION_MASK,
      this.#maxBytes(),
      mark?.file ?? -1,
      mark?.position ?? -1,
      key + (data.args ?? ""),
      ...(data.uses ?? []).flatMap(([position], k) => [position, inputs[k]]),
    ];
    return this.#system.spawn(header & F_ASYNC ? executeAsynchronous : execute, ...execution);
  }

  /** Stops it: what still runs is asked to stop, and its threads are terminated if it has not soon. */
  async stop(): Promise<void> {
    await this.#system.shutdown({ force: true });
  }
}
