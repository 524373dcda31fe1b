/** A graph of jobs before it is submitted: functions of modules, arguments as copies, and edges. */
import type { Job } from "../api/job.js";
import { checkJobOptions, type JobOptions } from "../api/job-options.js";
import { InvalidGraphError } from "./errors.js";
import type { ClusterFunction, ClusterFunctions } from "./functions.js";
import { checkStorable } from "./storable.js";
import { argumentToText } from "./values.js";

/** What a job of a cluster is given for a function's arguments: a job of the graph where the function takes a `Job`. */
export type ClusterArguments<A extends unknown[]> = {
  [K in keyof A]: A[K] extends Job<infer R> ? ClusterJob<R> : A[K];
};

/** Options of one job of a cluster: see `ClusterJob.with`. */
export type ClusterJobOptions = Pick<JobOptions, "timeout" | "kill" | "name" | "priority" | "retries">;

/** Where nothing else is said: attempts after the first. */
const DEFAULTS = { retries: 2 };
/** Of jobs that take no other's result, and that depend on none: most of a large graph may be such. */
const NO_USES: readonly (readonly [position: number, job: ClusterJob<unknown>])[] = [];
const NO_PREREQUISITES: ReadonlySet<ClusterJob<unknown>> = new Set();

/**
 * A graph of jobs that will run on a cluster; made by `Cluster.graph`. Nothing is written before it is submitted.
 *
 * @example
 * const graph = cluster.graph();
 * const parts = files.map((file) => graph.spawn(work.count, file));
 * const total = graph.spawn(work.add, ...parts);
 * const run = await cluster.submit(graph);
 * console.log(await run.result(total));
 */
export class Graph {
  /** @internal */
  readonly _jobs: ClusterJob<unknown>[] = [];
  /** @internal */
  readonly _functions: ClusterFunctions;
  /** @internal The runs as which it was submitted. */
  readonly _runs = new Set<string>();
  /** @internal How many times it is being submitted now. */
  _submits = 0;
  readonly #maxBytes: number;

  /** @internal */
  constructor(functions: ClusterFunctions, maxBytes: number) {
    this._functions = functions;
    this.#maxBytes = maxBytes;
  }

  /** How many jobs it has. */
  get size(): number {
    return this._jobs.length;
  }

  /**
   * Adds a job.
   *
   * @param fn a function that one of the cluster's modules exports
   * @param args its arguments, which are copied. A job of this graph stands for a `Job`: this job runs after it, and
   * its function is given a handle that has the result, for `await` or `wait()`, as on one machine
   * @throws UnknownJobFunctionError, DataCloneError (a DOMException), PayloadTooLargeError; InvalidGraphError while it is
   * being submitted
   * @example
   * const total = graph.spawn(work.add, first, second); // export function add(a: Job<number>, b: Job<number>)
   */
  spawn<A extends unknown[], R>(fn: (...args: A) => R, ...args: ClusterArguments<A>): ClusterJob<Awaited<R>> {
    this._checkChange();
    const known = this._functions.of(fn);
    const uses: [position: number, job: ClusterJob<unknown>][] = [];
    const plain = (args as unknown[]).map((arg, position) => {
      if (!(arg instanceof ClusterJob)) return arg;
      uses.push([position, arg]);
      return undefined;
    });
    const text = plain.length === 0 ? "" : this.#toText(plain, known);
    const job = new ClusterJob<Awaited<R>>(this, this._jobs.length, known, text, uses);
    if (uses.length > 0) job.after(...uses.map(([, used]) => used));
    this._jobs.push(job);
    return job;
  }

  /** @internal @throws InvalidGraphError while it is being submitted, which would write some of a change */
  _checkChange(): void {
    if (this._submits === 0) return;
    throw new InvalidGraphError(
      "the graph is being submitted, and can't be changed meanwhile: await cluster.submit(graph) first",
    );
  }

  #toText(args: unknown[], { label }: ClusterFunction): string {
    try {
      return argumentToText(args, `job "${label}"`, this.#maxBytes);
    } catch (error) {
      // Once more, one by one, to name the one to blame; together they may be too large though none is alone.
      for (const [k, arg] of args.entries()) argumentToText(arg, `argument ${k + 1} of job "${label}"`, this.#maxBytes);
      throw error;
    }
  }
}

/** A job of a graph that will run on a cluster. */
export class ClusterJob<R> {
  /** @internal Its number in the graph. */
  readonly _index: number;
  /** @internal */
  readonly _graph: Graph;
  /** @internal */
  readonly _function: ClusterFunction;
  /** @internal Its arguments, without those that are jobs; "" if there are none. */
  readonly _args: string;
  /** @internal The arguments that are jobs. */
  readonly _uses: readonly (readonly [position: number, job: ClusterJob<unknown>])[];
  /** @internal */
  _prerequisites = NO_PREREQUISITES;
  /** @internal */
  _options: ClusterJobOptions & { readonly retries: number } = DEFAULTS;
  /** Only in types: what the job gives. */
  declare readonly _result: R;

  /** @internal */
  constructor(
    graph: Graph,
    index: number,
    fn: ClusterFunction,
    args: string,
    uses: readonly (readonly [number, ClusterJob<unknown>])[],
  ) {
    this._graph = graph;
    this._index = index;
    this._function = fn;
    this._args = args;
    this._uses = uses.length === 0 ? NO_USES : uses;
  }

  /** Its name: the function's, or its own. */
  get name(): string {
    return this._options.name ?? this._function.label;
  }

  /**
   * Makes `next` run after this job.
   *
   * @returns next
   * @throws TypeError for anything but a job of the same graph: results are awaited through the run
   */
  then<N extends ClusterJob<unknown>>(next: N): N {
    if (!(next instanceof ClusterJob)) {
      throw new TypeError(
        `job "${this.name}" is part of a graph, which runs once it is submitted: const run = await cluster.submit(graph), then await run.result(job)`,
      );
    }
    next.after(this);
    return next;
  }

  /**
   * Makes this job run after all of `prerequisites`.
   *
   * @returns this job
   * @throws TypeError for anything but a job of the same graph; InvalidGraphError while it is being submitted
   */
  after(...prerequisites: ClusterJob<unknown>[]): this {
    for (const first of prerequisites) {
      if (!(first instanceof ClusterJob) || first._graph !== this._graph) {
        throw new TypeError(`job "${this.name}" can only depend on jobs of its own graph`);
      }
    }
    this._graph._checkChange();
    const all = this._prerequisites === NO_PREREQUISITES ? new Set<ClusterJob<unknown>>() : this._prerequisites;
    for (const first of prerequisites) (all as Set<ClusterJob<unknown>>).add(first);
    this._prerequisites = all;
    return this;
  }

  /**
   * Sets options of this job.
   *
   * @param options name (unique in the graph; how other processes ask for its result), priority ("high", "normal",
   * "low"), timeout (milliseconds from its start, on the thread that runs it) and kill, as on one machine; retries: how
   * often it may be tried again, when it throws, and when its worker is lost (0 to 1000, by default 2; with 0 it never
   * runs twice)
   * @returns this job
   * @throws TypeError, RangeError for a bad option; InvalidGraphError while its graph is being submitted
   * @example
   * graph.spawn(work.charge, order).with({ retries: 0, name: "charge" });
   */
  with(options: ClusterJobOptions): this {
    this._graph._checkChange();
    const { signal, on, ...known } = checkJobOptions(options);
    if (signal !== undefined) throw new TypeError("a job of a cluster takes no signal; cancel its run: run.cancel()");
    if (on !== undefined) throw new TypeError("a job of a cluster has no main thread to be on; leave out `on`");
    if (known.name !== undefined) checkStorable("name", known.name);
    const given = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
    this._options = { ...this._options, ...given };
    return this;
  }
}
