/**
 * Runs and outcomes, in two tables beside pg-boss's own, and a third one of what holds for the whole cluster. A job's first outcome counts: an attempt that comes later, as
 * the first one's worker was slow or lost, changes nothing.
 */
import { channelOf, type Database, type Sql } from "./database.js";
import { UnknownRunError } from "./errors.js";
import { jobIdOf } from "./ids.js";
import { FORMAT, Plan } from "./plan.js";

/** What became of a job. */
export const COMPLETED = 0;
export const FAILED = 1;
/** It did not run, as one that it depends on failed. */
export const DEPENDENCY_FAILED = 2;
export const CANCELLED = 3;

export interface Outcome {
  readonly run: string;
  readonly job: number;
  readonly state: number;
  /** Its result, or what it failed with; "" where the state says it all. */
  readonly value: string;
  /** For DEPENDENCY_FAILED: the number of the job that failed first. */
  readonly first: number | null;
}

/** An outcome with the size of its value. */
export interface SizedOutcome {
  readonly run: string;
  readonly job: number;
  readonly state: number;
  readonly bytes: number;
  /** null: it is larger than was asked for. */
  readonly value: string | null;
}

/** How far a run is. */
export interface RunStatus {
  readonly id: string;
  /** What it was called when it was submitted, or "". */
  readonly name: string;
  /** "running" until each of its jobs has an outcome. */
  readonly state: "running" | "completed" | "failed" | "cancelled";
  /** How many jobs it has, and how many of them have completed, failed or were cancelled; those that did not run as one before them failed count as failed. */
  readonly jobs: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly submitted: Date;
  /** When the last outcome came. */
  readonly ended: Date | undefined;
}

interface RunRow {
  id: string;
  name: string;
  jobs: number;
  completed: number;
  failed: number;
  cancelled: number;
  submitted: Date;
  ended: Date | null;
}

/** Told to all when what holds for the whole cluster has changed. */
export const SETTINGS = "settings";

const STATUS = "id, name, jobs, completed, failed, cancelled, submitted, ended";

/** A run's state, as `statusOf` says it: there is an index of it. */
const STATE =
  "(CASE WHEN ended IS NULL THEN 'running' WHEN cancelled > 0 THEN 'cancelled' WHEN failed > 0 THEN 'failed' ELSE 'completed' END)";

/** Which runs `Cluster.runs` gives. */
export interface Listing {
  readonly state?: RunStatus["state"];
  readonly before?: Date;
  readonly after?: string;
  readonly limit: number;
}

/** What `maxValueBytes` is until somebody sets it. */
const VALUE_BYTES = 2 ** 20;
/** Outcomes that are deleted at once. */
const DELETED_AT_ONCE = 5000;
/** One transaction deletes no more runs than this, and no further one once those it has deleted have so many jobs. */
const RUNS_AT_ONCE = 100;
const JOBS_AT_ONCE = 5000;

/** Follows a run's id in the notice that the run has ended. */
export const ENDED = " ended";

export class Store {
  readonly #database: Database;
  readonly #runs: string;
  readonly #outcomes: string;
  readonly #settings: string;
  readonly #channel: string;
  /** Plans of runs, the latest asked for last. */
  readonly #plans = new Map<string, Plan>();

  constructor(database: Database) {
    this.#database = database;
    this.#runs = `${database.schemaInSql}.heddle_run`;
    this.#outcomes = `${database.schemaInSql}.heddle_outcome`;
    this.#settings = `${database.schemaInSql}.heddle_cluster`;
    this.#channel = channelOf(database.schema);
  }

  /** Whether the tables are there. */
  async isThere(): Promise<boolean> {
    const [{ there }] = await this.#database.query<{ there: boolean }>(
      "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL AND to_regclass($3) IS NOT NULL AS there",
      [this.#runs, this.#outcomes, this.#settings],
    );
    return there;
  }

  /** Creates the tables, unless they are there. */
  async create(): Promise<void> {
    // Even where they are there, creating them would wait for all who write to them.
    if (await this.isThere()) return;
    await this.#database.transaction(async (sql) => {
      // Settles who creates them where several processes start at once.
      await sql.executeSql("SELECT pg_advisory_xact_lock(hashtext($1))", [this.#runs]);
      await sql.executeSql(
        `CREATE TABLE IF NOT EXISTS ${this.#runs} (
          id uuid PRIMARY KEY, name text NOT NULL, format smallint NOT NULL, plan bytea NOT NULL, jobs int NOT NULL,
          completed int NOT NULL DEFAULT 0, failed int NOT NULL DEFAULT 0, cancelled int NOT NULL DEFAULT 0,
          submitted timestamptz NOT NULL DEFAULT now(), ended timestamptz);
        CREATE INDEX IF NOT EXISTS heddle_run_submitted ON ${this.#runs} (submitted DESC);
        CREATE TABLE IF NOT EXISTS ${this.#outcomes} (
          run uuid, job int, state smallint NOT NULL, value bytea NOT NULL, first int, PRIMARY KEY (run, job));
        CREATE INDEX IF NOT EXISTS heddle_run_state ON ${this.#runs} (${STATE}, submitted, id);
        CREATE INDEX IF NOT EXISTS heddle_run_ended ON ${this.#runs} (ended);
        CREATE TABLE IF NOT EXISTS ${this.#settings} (
          one boolean PRIMARY KEY DEFAULT true CHECK (one), max_value_bytes int NOT NULL DEFAULT ${VALUE_BYTES});
        INSERT INTO ${this.#settings} DEFAULT VALUES ON CONFLICT DO NOTHING`,
      );
    });
  }

  /** The most bytes of a value, as the cluster keeps it. */
  async maxValueBytes(): Promise<number> {
    const [row] = await this.#database.query<{ bytes: number }>(
      `SELECT max_value_bytes AS bytes FROM ${this.#settings}`,
    );
    return row.bytes;
  }

  /** Sets it for all, and tells them. */
  async setMaxValueBytes(bytes: number): Promise<void> {
    await this.#database.query(
      `WITH changed AS (UPDATE ${this.#settings} SET max_value_bytes = $1 WHERE max_value_bytes <> $1 RETURNING one)
      SELECT pg_notify($2, '${SETTINGS}') FROM changed`,
      [bytes, this.#channel],
    );
  }

  async insertRun(sql: Sql, id: string, name: string, plan: Plan): Promise<void> {
    await sql.executeSql(
      `INSERT INTO ${this.#runs} (id, name, format, plan, jobs) VALUES ($1, $2, $3, decode($4, 'base64'), $5)`,
      [id, name, FORMAT, Buffer.from(plan.toBytes()).toString("base64"), plan.size],
    );
  }

  async hasRun(id: string): Promise<boolean> {
    const rows = await this.#database.query(`SELECT 1 FROM ${this.#runs} WHERE id = $1`, [id]);
    return rows.length > 0;
  }

  /** Tells all who listen, once the transaction commits. */
  async notify(sql: Sql, payload: string): Promise<void> {
    await sql.executeSql("SELECT pg_notify($1, $2)", [this.#channel, payload]);
  }

  /**
   * Writes outcomes of jobs that have none yet, counts them, and tells those who watch their runs. All or nothing.
   */
  async record(sql: Sql, outcomes: readonly Outcome[]): Promise<void> {
    const column = <K extends keyof Outcome>(key: K) => outcomes.map((outcome) => outcome[key]);
    // Locking the runs first, in order, keeps two who write outcomes of the same runs from waiting for each other.
    await sql.executeSql(
      `WITH given AS (
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::smallint[], $4::text[], $5::int[]) AS g (run, job, state, value, first)
      ), runs AS (
        SELECT id FROM ${this.#runs} WHERE id IN (SELECT run FROM given) ORDER BY id FOR UPDATE
      ), added AS (
        INSERT INTO ${this.#outcomes} (run, job, state, value, first)
        SELECT run, job, state, decode(value, 'base64'), first FROM given JOIN runs ON id = run
        ON CONFLICT DO NOTHING RETURNING run, job, state
      ), counted AS (${this.#count("added")})
      SELECT count(*) FROM counted`,
      [column("run"), column("job"), column("state"), column("value"), column("first"), this.#channel],
    );
  }

  /** Gives all jobs of a run that have no outcome yet the outcome "cancelled". @returns their numbers */
  async cancel(sql: Sql, run: string): Promise<number[]> {
    const { rows } = await sql.executeSql(
      `WITH runs AS (
        SELECT id, jobs FROM ${this.#runs} WHERE id = $1 FOR UPDATE
      ), added AS (
        INSERT INTO ${this.#outcomes} (run, job, state, value)
        SELECT id, n, ${CANCELLED}, '' FROM runs, generate_series(0, jobs - 1) AS n
        ON CONFLICT DO NOTHING RETURNING run, job, state
      ), counted AS (${this.#count("added", "$2")})
      SELECT job FROM added LEFT JOIN counted ON run = id`,
      [run, this.#channel],
    );
    return rows.map(({ job }) => job);
  }

  /** Adds new outcomes to their runs' counts, and tells those who watch them. */
  #count(added: string, channel = "$6"): string {
    return `
      UPDATE ${this.#runs} AS r SET
        completed = r.completed + n.completed, failed = r.failed + n.failed, cancelled = r.cancelled + n.cancelled,
        ended = CASE WHEN r.completed + r.failed + r.cancelled + n.completed + n.failed + n.cancelled = r.jobs THEN now() END
      FROM (
        SELECT run,
          (count(*) FILTER (WHERE state = ${COMPLETED}))::int AS completed,
          (count(*) FILTER (WHERE state IN (${FAILED}, ${DEPENDENCY_FAILED})))::int AS failed,
          (count(*) FILTER (WHERE state = ${CANCELLED}))::int AS cancelled
        FROM ${added} GROUP BY run
      ) AS n WHERE r.id = n.run RETURNING r.id, pg_notify(${channel}, r.id || CASE WHEN r.ended IS NULL THEN '' ELSE '${ENDED}' END)`;
  }

  /** Outcomes of jobs, of those that have one. */
  async outcomes(places: readonly { run: string; job: number }[]): Promise<Outcome[]> {
    return await this.#database.query(
      `SELECT run, job, state, encode(value, 'base64') AS value, first FROM ${this.#outcomes}
      JOIN unnest($1::uuid[], $2::int[]) AS wanted (run, job) USING (run, job)`,
      [places.map(({ run }) => run), places.map(({ job }) => job)],
    );
  }

  /** As `outcomes`, with the size of each value, but without values that take more than `most` bytes. */
  async smallOutcomes(places: readonly { run: string; job: number }[], most: number): Promise<SizedOutcome[]> {
    return await this.#database.query(
      `SELECT run, job, state, octet_length(value) AS bytes,
        CASE WHEN octet_length(value) <= $3 THEN encode(value, 'base64') END AS value
      FROM ${this.#outcomes} JOIN unnest($1::uuid[], $2::int[]) AS wanted (run, job) USING (run, job)`,
      [places.map(({ run }) => run), places.map(({ job }) => job), most],
    );
  }

  /** The first failures of a run, by number of the job. */
  async failures(run: string, most: number): Promise<Outcome[]> {
    return await this.#database.query(
      `SELECT run, job, state, encode(value, 'base64') AS value, first FROM ${this.#outcomes}
      WHERE run = $1 AND state = ${FAILED} ORDER BY job LIMIT $2`,
      [run, most],
    );
  }

  async statuses(runs: readonly string[]): Promise<RunStatus[]> {
    const rows = await this.#database.query<RunRow>(`SELECT ${STATUS} FROM ${this.#runs} WHERE id = ANY($1::uuid[])`, [
      runs,
    ]);
    return rows.map(statusOf);
  }

  /**
   * Functions whose jobs wait for a worker that has them, as some worker had to leave them to others (`giveBackJobs`).
   *
   * @param size how many jobs the run has
   */
  async lacking(run: string, size: number, queues: readonly string[]): Promise<string[]> {
    const rows = await this.#database.query<{ fn: string }>(
      `SELECT DISTINCT group_id AS fn FROM ${this.#database.schemaInSql}.job
      WHERE name = ANY($1) AND id BETWEEN $2 AND $3 AND state < 'active' AND group_id IS NOT NULL ORDER BY fn`,
      [queues, jobIdOf(run, 0), jobIdOf(run, size - 1)],
    );
    return rows.map(({ fn }) => fn);
  }

  /** Runs, newest first. @throws UnknownRunError for `after` */
  async latest({ state, before, after, limit }: Listing): Promise<RunStatus[]> {
    const values: unknown[] = [];
    const given = (value: unknown) => `$${values.push(value)}`;
    const wanted: string[] = [];
    if (state !== undefined) wanted.push(`${STATE} = ${given(state)}`);
    if (before !== undefined) wanted.push(`submitted < ${given(before.toISOString())}::timestamptz`);
    if (after !== undefined) wanted.push(`(submitted, id) < (${given(await this.#submitted(after))}, ${given(after)})`);
    const where = wanted.length === 0 ? "" : `WHERE ${wanted.join(" AND ")}`;
    const rows = await this.#database.query<RunRow>(
      `SELECT ${STATUS} FROM ${this.#runs} ${where} ORDER BY submitted DESC, id DESC LIMIT ${given(limit)}`,
      values,
    );
    return rows.map(statusOf);
  }

  /** When a run was submitted, as text: a Date would lose digits. @throws UnknownRunError */
  async #submitted(run: string): Promise<string> {
    const [row] = await this.#database.query<{ submitted: string }>(
      `SELECT submitted::text FROM ${this.#runs} WHERE id = $1`,
      [run],
    );
    if (row === undefined) throw new UnknownRunError(run);
    return row.submitted;
  }

  /** @throws UnknownRunError; Error for one that a newer version has submitted */
  async planOf(run: string): Promise<Plan> {
    const known = this.#plans.get(run);
    if (known !== undefined) return known;
    const [row] = await this.#database.query<{ format: number; plan: string }>(
      `SELECT format, encode(plan, 'base64') AS plan FROM ${this.#runs} WHERE id = $1`,
      [run],
    );
    if (row === undefined) throw new UnknownRunError(run);
    if (row.format > FORMAT) throw new Error(`run ${run} was submitted by a newer version of heddle; update this one`);
    const plan = Plan.fromBytes(Buffer.from(row.plan, "base64"));
    this.#plans.set(run, plan);
    if (this.#plans.size > MOST_PLANS) this.#plans.delete(this.#plans.keys().next().value!);
    return plan;
  }

  async delete(sql: Sql, run: string): Promise<void> {
    await sql.executeSql(`DELETE FROM ${this.#runs} WHERE id = $1`, [run]);
    await sql.executeSql(`DELETE FROM ${this.#outcomes} WHERE run = $1`, [run]);
  }

  /**
   * Deletes some of the runs that have ended for longer, those first that ended first, and tells those who watch them; unless
   * another process is just doing that.
   *
   * @param keep milliseconds
   * @returns whether there may be more
   */
  async deleteEnded(keep: number): Promise<boolean> {
    return await this.#database.transaction(async (sql) => {
      const lock = await sql.executeSql("SELECT pg_try_advisory_xact_lock(hashtext($1)) AS mine", [this.#settings]);
      if (!lock.rows[0].mine) return false;
      const { rows } = await sql.executeSql(
        `SELECT id, jobs FROM ${this.#runs} WHERE ended < now() - $1::float8 * interval '1 ms'
        ORDER BY ended LIMIT ${RUNS_AT_ONCE} FOR UPDATE SKIP LOCKED`,
        [keep],
      );
      let jobs = 0;
      const some = (rows as { id: string; jobs: number }[]).filter((run) => {
        const fits = jobs < JOBS_AT_ONCE;
        if (fits) jobs += run.jobs;
        return fits;
      });
      if (some.length === 0) return false;
      const ids = some.map(({ id }) => id);
      // The outcomes of a large run in parts: on the embedded database each statement holds up this thread.
      const largest = Math.max(...some.map((run) => run.jobs));
      for (let job = 0; job < largest; job += DELETED_AT_ONCE) {
        await sql.executeSql(`DELETE FROM ${this.#outcomes} WHERE run = ANY($1::uuid[]) AND job >= $2 AND job < $3`, [
          ids,
          job,
          job + DELETED_AT_ONCE,
        ]);
      }
      await sql.executeSql(
        `WITH gone AS (DELETE FROM ${this.#runs} WHERE id = ANY($1::uuid[]) RETURNING id)
        SELECT pg_notify($2, id::text) FROM gone`,
        [ids, this.#channel],
      );
      return true;
    });
  }
}

/** Plans that are kept at the most. */
const MOST_PLANS = 100;

function statusOf({ ended, ...row }: RunRow): RunStatus {
  const state = ended === null ? "running" : row.cancelled > 0 ? "cancelled" : row.failed > 0 ? "failed" : "completed";
  return { ...row, state, ended: ended ?? undefined };
}
