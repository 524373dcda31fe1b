/** A cluster: any number of processes that share a database, where graphs of jobs are submitted and run. */
import { EventEmitter } from "node:events";
import { ShutdownError } from "../api/errors.js";
import { checkWhole } from "../api/options.js";
import { isInstance } from "../values/describe.js";
import { Database } from "./database.js";
import { ClusterSchemaError } from "./errors.js";
import { ClusterFunctions } from "./functions.js";
import { Graph } from "./graph.js";
import { isRunId, newRunId } from "./ids.js";
import { type CheckedClusterOptions, type ClusterOptions, checkClusterOptions } from "./options.js";
import { Plan } from "./plan.js";
import { createQueues, insertJobs, missingQueues, READY, SUSPECTS } from "./queues.js";
import { Retention } from "./retention.js";
import { type Connection, Run } from "./run.js";
import { checkStorable } from "./storable.js";
import { ENDED, type RunStatus, SETTINGS, Store } from "./store.js";
import { Turns } from "./turns.js";
import { Vacuum } from "./vacuum.js";
import { Watch } from "./watch.js";
import { ClusterWorker, type WorkerOptions } from "./worker.js";

const MOST_LISTED = 10_000;
const STATES: readonly RunStatus["state"][] = ["running", "completed", "failed", "cancelled"];
/** How long the same error is not told again, in milliseconds. */
const QUIET_FOR = 5000;
/** How long a schema that is not there must be back for it to be told again, in milliseconds: more than anything waits that asks for it. */
const BACK_FOR = 15_000;

/** Options of `Cluster.runs`. */
export interface RunsOptions {
  /** Only runs in this state. */
  state?: RunStatus["state"];
  /** Only runs that were submitted before. */
  before?: Date;
  /** Only runs that come after the one with this id. */
  after?: string;
  /** No more than so many, 1 to 10,000; by default 100. */
  limit?: number;
}

/**
 * A cluster: processes on any number of machines that share a PostgreSQL database. Any of them submits graphs and asks
 * for results; those that start a worker run jobs. With no server, an embedded database serves one process.
 *
 * @example
 * import { Cluster } from "heddle/cluster";
 * import * as work from "./work.js";
 *
 * await using cluster = await Cluster.connect({ modules: [new URL("./work.js", import.meta.url)] });
 * await cluster.startWorker();
 * const graph = cluster.graph();
 * const total = graph.spawn(work.add, graph.spawn(work.count, "a.txt"), graph.spawn(work.count, "b.txt"));
 * const run = await cluster.submit(graph);
 * console.log(await run.result(total));
 */
export class Cluster extends EventEmitter<{ error: [Error] }> implements AsyncDisposable {
  readonly #options: CheckedClusterOptions;
  readonly #functions: ClusterFunctions;
  readonly #connection: Connection;
  readonly #workers = new Set<ClusterWorker>();
  /** The most bytes of a value, as the database keeps it for all. */
  #maxValueBytes = 0;
  /** Once there is a worker. */
  #retention: Retention | undefined;
  #unlisten: () => void | Promise<void> = () => {};
  /** Of an embedded database. */
  #vacuum: Vacuum | undefined;
  #closing: Promise<void> | undefined;
  #reported = { message: "", at: 0 };

  /**
   * Connects to a database, and creates what a cluster needs there unless it is there.
   *
   * @param options modules (required); url of a PostgreSQL server, or directory of an embedded database, which without
   * both is in memory; schema; createSchema; maxValueBytes; keep: see `ClusterOptions`
   * @throws TypeError, RangeError for a bad option; ClusterSchemaError, with `createSchema: false`; Error where a package or the server is missing; whatever a module
   * throws when it is loaded
   */
  static async connect(options: ClusterOptions): Promise<Cluster> {
    const checked = checkClusterOptions(options);
    const functions = await ClusterFunctions.load(checked.modules);
    // What goes wrong before there is a cluster is thrown by `open`.
    let cluster: Cluster | undefined;
    const report = (error: Error) => {
      if (cluster !== undefined) cluster.#report(error);
    };
    const database = await Database.open(checked, report);
    const store = new Store(database);
    const created = new Cluster(checked, functions, { database, store, watch: new Watch(store, report) });
    cluster = created;
    await created.#open();
    return created;
  }

  /**
   * Creates in a database what a cluster needs, or brings it up to date, and ends; `heddle migrate` on the command line does just this.
   * Clusters that are connected with `createSchema: false` then need no right to create anything.
   *
   * @param options as for `connect`: the queues are those of its modules
   * @throws as `connect`
   * @example
   * await Cluster.migrate({ modules, url: "postgres://owner@host/db" });
   */
  static async migrate(options: Omit<ClusterOptions, "createSchema">): Promise<void> {
    const cluster = await Cluster.connect({ ...options, createSchema: true });
    try {
      await cluster.#connection.database.indexed();
    } finally {
      await cluster.close();
    }
  }

  private constructor(options: CheckedClusterOptions, functions: ClusterFunctions, connection: Connection) {
    super();
    this.#options = options;
    this.#functions = functions;
    this.#connection = connection;
  }

  async #open(): Promise<void> {
    const { database, store } = this.#connection;
    try {
      if (this.#options.createSchema) {
        await store.create();
        await createQueues(database.boss, this.#functions.queues);
      } else await this.#checkSchema();
      const { maxValueBytes } = this.#options;
      if (maxValueBytes !== undefined) await store.setMaxValueBytes(maxValueBytes);
      this.#maxValueBytes = await store.maxValueBytes();
      this.#unlisten = await database.listen(
        (payload) => this.#heard(payload),
        () => this.#mayHaveMissed(),
      );
      if (database.embedded) this.#vacuum = new Vacuum(database, (error) => this.#report(error));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** @throws ClusterSchemaError if it lacks anything */
  async #checkSchema(): Promise<void> {
    const { database, store } = this.#connection;
    if (!(await store.isThere())) throw database.schemaError("lacks heddle's own tables");
    const [missing] = await missingQueues(database.boss, this.#functions.queues);
    if (missing !== undefined) throw database.schemaError(`has no queue "${missing}"`);
  }

  /** A new graph, to be filled with jobs and submitted. */
  graph(): Graph {
    return new Graph(this.#functions, this.#maxValueBytes);
  }

  /**
   * Writes a graph to the database, all of it or nothing. Workers begin with it at once. Meanwhile it can't be changed, and
   * the event loop goes on.
   *
   * @param graph made by `graph()`; it may be submitted again, which makes another run
   * @param options name: what `runs` lists it as, up to 1000 characters
   * @returns its run
   * @throws InvalidGraphError if it is empty or two jobs have the same name, DependencyCycleError, ShutdownError;
   * an error of the database's: then nothing was written, unless the connection was lost for good just as it was
   * (`runs` tells)
   */
  async submit(graph: Graph, { name = "" }: { name?: string } = {}): Promise<Run> {
    this.#checkOpen();
    if (!(graph instanceof Graph) || graph._functions !== this.#functions) {
      throw new TypeError("graph must be a graph of this cluster: const graph = cluster.graph()");
    }
    if (typeof name !== "string" || name.length > 1000)
      throw new TypeError("name must be a string of up to 1000 characters");
    checkStorable("name", name);
    graph._submits++;
    try {
      return await this.#submit(graph, name);
    } finally {
      graph._submits--;
    }
  }

  async #submit(graph: Graph, name: string): Promise<Run> {
    const turns = new Turns();
    const plan = await Plan.of(graph._jobs, turns);
    const id = newRunId();
    const { database, store } = this.#connection;
    try {
      await database.transaction(async (sql) => {
        await store.insertRun(sql, id, name, plan);
        await insertJobs(sql, database.schemaInSql, id, graph._jobs, plan, turns);
        await store.notify(sql, READY);
      });
    } catch (error) {
      // Only the answer may have been lost.
      if (!(await store.hasRun(id).catch(() => false))) throw error;
    }
    graph._runs.add(id);
    return new Run(id, plan, this.#connection);
  }

  /**
   * A run that was submitted by this process or another.
   *
   * @throws TypeError for what is no id, UnknownRunError, ShutdownError
   */
  async attach(id: string): Promise<Run> {
    this.#checkOpen();
    if (!isRunId(id)) throw new TypeError(`id must be that of a run, as run.id gives it, not ${JSON.stringify(id)}`);
    return new Run(id, await this.#connection.store.planOf(id), this.#connection);
  }

  /**
   * The latest runs, newest first.
   *
   * @param options state: only those in this state; before: only those submitted before this time; after: only those that
   * follow the run with this id in the list, which gives the next page; limit: no more than so many, 1 to 10,000, by
   * default 100
   * @throws TypeError, RangeError for a bad option; UnknownRunError if `after` was deleted; ShutdownError
   * @example
   * let page = await cluster.runs({ state: "failed" });
   * while (page.length > 0) {
   *   for (const { id, name, failed } of page) console.log(id, name, failed);
   *   page = await cluster.runs({ state: "failed", after: page.at(-1).id });
   * }
   */
  async runs({ state, before, after, limit = 100 }: RunsOptions = {}): Promise<RunStatus[]> {
    this.#checkOpen();
    if (state !== undefined && !STATES.includes(state)) {
      throw new TypeError(`state must be one of ${STATES.join(", ")}, not ${JSON.stringify(state)}`);
    }
    if (before !== undefined && !(isInstance(before, Date) && Number.isFinite(before.getTime()))) {
      throw new TypeError("before must be a Date: runs that were submitted before it are listed");
    }
    if (after !== undefined && !isRunId(after)) {
      throw new TypeError(`after must be the id of a run, such as the last one listed, not ${JSON.stringify(after)}`);
    }
    checkWhole("limit", limit, 1, MOST_LISTED);
    return await this.#connection.store.latest({ state, before, after, limit });
  }

  /**
   * Starts a worker in this process: a job system of its own that runs jobs of the cluster's modules. `heddle worker` on
   * the command line does just this.
   *
   * @param options threads, concurrency, resourceLimits: as for `JobSystem.create`
   * @throws as `JobSystem.create`; ShutdownError
   */
  async startWorker(options: WorkerOptions = {}): Promise<ClusterWorker> {
    this.#checkOpen();
    const { database, store } = this.#connection;
    const report = (error: Error) => this.#report(error);
    const maxBytes = () => this.#maxValueBytes;
    const worker = await ClusterWorker.start(database, store, this.#functions, maxBytes, options, report);
    if (this.#closing !== undefined) {
      await worker.stop();
      this.#checkOpen();
    }
    this.#workers.add(worker);
    const { keep } = this.#options;
    if (keep !== undefined) this.#retention ??= new Retention(store, keep, report);
    void worker.stopped.then(() => this.#workers.delete(worker));
    return worker;
  }

  /**
   * Stops this process's workers (see `ClusterWorker.stop`) and closes the connections. Whoever still waits for a run
   * here gets a ShutdownError; the runs themselves go on.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    await Promise.all([this.#retention?.close(), this.#vacuum?.close()]);
    this.#connection.watch.close();
    await this.#unlisten();
    await this.#connection.database.close();
  }

  #heard(payload: string): void {
    if (payload === READY) {
      for (const worker of this.#workers) worker.wake();
    } else if (payload === SUSPECTS) {
      for (const worker of this.#workers) worker.suspects();
    } else if (payload.startsWith("cancelled ")) {
      for (const worker of this.#workers) worker.cancelled(payload.slice("cancelled ".length));
    } else if (payload === SETTINGS) {
      void this.#readSettings();
    } else if (payload.endsWith(ENDED)) {
      this.#connection.watch.look(payload.slice(0, -ENDED.length));
    } else {
      this.#connection.watch.progressed(payload);
    }
  }

  async #readSettings(): Promise<void> {
    try {
      this.#maxValueBytes = await this.#connection.store.maxValueBytes();
    } catch (error) {
      // It is read again with the next connection.
      if (this.#closing === undefined) this.#report(error as Error);
    }
  }

  #mayHaveMissed(): void {
    void this.#readSettings();
    this.#connection.watch.lookAtAll();
    for (const worker of this.#workers) worker.wake();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ShutdownError("the cluster was closed; connect again");
  }

  /** Tells of what no call can throw; the process's own warnings are for those who don't listen. */
  #report(failure: Error): void {
    const now = performance.now();
    const error = this.#connection.database.explain(failure);
    const isGone = error instanceof ClusterSchemaError;
    // While the database is away, everything that asks it fails alike.
    const known = error.message === this.#reported.message && now - this.#reported.at < (isGone ? BACK_FOR : QUIET_FOR);
    if (!known || isGone) this.#reported = { message: error.message, at: now };
    if (known) return;
    if (this.listenerCount("error") === 0) process.emitWarning(error);
    // A listener that throws is an uncaught error of the program's, and must not end what reports here.
    else setImmediate(() => this.emit("error", error));
  }
}
