/** The queues of pg-boss that a cluster uses, and what is in them. */
import type { PgBoss } from "pg-boss";
import type { Database, Sql } from "./database.js";
import { labelOf } from "./functions.js";
import type { ClusterJob } from "./graph.js";
import { jobIdOf } from "./ids.js";
import type { Plan } from "./plan.js";
import type { Turns } from "./turns.js";

/** Jobs that failed for good, as pg-boss puts them there: see failures.ts. */
export const FAILED_QUEUE = "failed";

/** Told to workers when jobs may be ready. */
export const READY = "ready";

/** Told to workers when there are suspects: see lost.ts. */
export const SUSPECTS = "suspects";

/** How long a worker may be silent before its jobs are given to others, in seconds. */
export const HEARTBEAT = 10;
/** The same for pg-boss, which counts an attempt of each: should no worker look (lost.ts). */
export const LONGEST_SILENCE = 60;

/** What is kept with a job in its queue. */
export interface JobData {
  /** The function's name. */
  readonly fn: string;
  /** Its own name. */
  readonly name?: string;
  /** Its arguments, as text. */
  readonly args?: string;
  /** Arguments that are other jobs' results. */
  readonly uses?: readonly (readonly [position: number, job: number])[];
  /** Whether any job depends on it. */
  readonly blocks?: boolean;
  /** Whether any of those is a function of another module, which other workers may have. */
  readonly elsewhere?: boolean;
  /** How long it may run, in milliseconds. */
  readonly limit?: { timeout: number; kill: boolean };
  /** It must not begin twice. */
  readonly once?: boolean;
  /** The attempt that was noted before it began. */
  readonly begun?: number;
  /** It may have ended its worker's process. */
  readonly suspect?: boolean;
  /** How many attempts were not counted: as it may not be to blame that its worker was lost, or had not begun. */
  readonly forgiven?: number;
  readonly returned?: number;
  /** It had begun when its worker was lost. */
  readonly seen?: boolean;
  /** What its last attempt failed with, as text. */
  readonly failure?: string;
}

/** What a job is called in errors. */
export function nameOf({ name, fn }: Pick<JobData, "name" | "fn">): string {
  return name ?? labelOf(fn);
}

const HOUR = 60 * 60;
const DAY = 24 * HOUR;
/** How long pg-boss keeps jobs that have ended: their outcomes are kept with the run. */
const KEPT = HOUR;
/** As the heartbeat of jobs, for what is to be done about failures: that of many may take a while. */
const FAILURES_HEARTBEAT = 60;
/** As long as a job may run: the most that pg-boss allows. */
const EXPIRES = DAY;
/** How long a job may wait for its turn. */
const RETENTION = 10 * 365 * DAY;

/** Creates the queues of modules, and that of failures, unless they are there. */
export async function createQueues(boss: PgBoss, queues: readonly string[]): Promise<void> {
  const kept = { expireInSeconds: EXPIRES, retentionSeconds: RETENTION, deleteAfterSeconds: KEPT };
  // What is to be done about a failure must be done, however often it takes.
  const always = { retryLimit: 1_000_000, retryDelay: 1 };
  await boss.createQueue(FAILED_QUEUE, { ...kept, ...always, heartbeatSeconds: FAILURES_HEARTBEAT });
  for (const queue of queues) {
    await boss.createQueue(queue, { ...kept, heartbeatSeconds: HEARTBEAT, deadLetter: FAILED_QUEUE });
  }
}

/** Queues of these modules that are not there. */
export async function missingQueues(boss: PgBoss, queues: readonly string[]): Promise<string[]> {
  const there = new Set((await boss.getQueues([FAILED_QUEUE, ...queues])).map(({ name }) => name));
  return [FAILED_QUEUE, ...queues].filter((queue) => !there.has(queue));
}

const PRIORITIES = { high: 1, normal: 0, low: -1 };
/** Seconds until a job that failed is tried again, as pg-boss counts them: 1 to 2, then 2 to 4, and so on. */
const RETRY_AFTER = 1;
const LONGEST_RETRY = 300;

/** Jobs, characters of their data, and dependencies that are written by one statement; a bit more. */
const JOBS_AT_ONCE = 500;
const TEXT_AT_ONCE = 2 ** 20;
const EDGES_AT_ONCE = 2000;

/**
 * Writes a run's jobs into their queues, with their dependencies: as pg-boss's `flow` does, which would have them all in one
 * statement.
 */
export async function insertJobs(
  sql: Sql,
  schema: string,
  run: string,
  jobs: readonly ClusterJob<unknown>[],
  plan: Plan,
  turns: Turns,
): Promise<void> {
  // While one part is written, the next one is made ready.
  let writing: Promise<unknown> = Promise.resolve();
  const write = async (next: () => Promise<unknown>) => {
    await writing;
    writing = next();
    // If it fails, the next wait for it throws.
    writing.catch(() => {});
    await turns.rest();
  };
  for (let k = 0; k < jobs.length; ) {
    const rows: string[] = [];
    for (let text = 0; k < jobs.length && rows.length < JOBS_AT_ONCE && text < TEXT_AT_ONCE; k++) {
      const row = JSON.stringify(rowOf(jobs[k], run, plan));
      rows.push(row);
      text += row.length;
    }
    // What a job does not say, its queue does. One that is gone is an error, as these may not be null.
    const insert = () =>
      sql.executeSql(
        `INSERT INTO ${schema}.job (
        id, name, data, priority, start_after, created_on, keep_until, expire_seconds, deletion_seconds, retry_limit, retry_delay,
        retry_backoff, retry_delay_max, policy, dead_letter, heartbeat_seconds, blocked, blocking, pending_dependencies)
      SELECT
        j.id, j.queue, data, priority, now, now, now + q.retention_seconds * interval '1 s', q.expire_seconds, q.deletion_seconds, retries,
        ${RETRY_AFTER}, true, ${LONGEST_RETRY}, q.policy, q.dead_letter, ${LONGEST_SILENCE}, pending > 0, blocking, pending
      FROM json_to_recordset($1::text::json)
        AS j (id uuid, queue text, data jsonb, priority int, retries int, blocking boolean, pending int)
      CROSS JOIN ${schema}.job_now() AS now LEFT JOIN ${schema}.queue AS q ON q.name = j.queue`,
        [`[${rows.join()}]`],
      );
    await write(insert);
  }
  let children: number[] = [];
  let parents: number[] = [];
  const insertEdges = async () => {
    const [from, to] = [children, parents];
    children = [];
    parents = [];
    await write(() => insertDependencies(sql, schema, run, plan, from, to));
  };
  for (const job of jobs) {
    for (const { _index } of job._prerequisites) {
      children.push(job._index);
      parents.push(_index);
      if (children.length === EDGES_AT_ONCE) await insertEdges();
    }
  }
  if (children.length > 0) await insertEdges();
  await writing;
}

/** @param children numbers of jobs @param parents and of those that they depend on */
async function insertDependencies(
  sql: Sql,
  schema: string,
  run: string,
  plan: Plan,
  children: readonly number[],
  parents: readonly number[],
): Promise<void> {
  const ids = (jobs: readonly number[]) => jobs.map((job) => jobIdOf(run, job));
  const { queues } = plan;
  const places = new Map(queues.map((queue, k) => [queue, k + 1]));
  const queuesOf = (jobs: readonly number[]) => jobs.map((job) => places.get(plan.queueOf(job)));
  await sql.executeSql(
    `INSERT INTO ${schema}.job_dependency (child_name, child_id, parent_name, parent_id)
    SELECT ($5::text[])[cq], c, ($5::text[])[pq], p FROM unnest($1::int[], $2::uuid[], $3::int[], $4::uuid[]) AS e (cq, c, pq, p)`,
    [queuesOf(children), ids(children), queuesOf(parents), ids(parents), queues],
  );
}

/** In how many milliseconds the first job that waits for its time may begin; infinity if there is none. */
export async function nextStart(database: Database, queues: readonly string[]): Promise<number> {
  const [{ next }] = await database.query<{ next: number | null }>(
    `SELECT (1000 * extract(epoch FROM min(start_after) - ${database.schemaInSql}.job_now()))::float8 AS next FROM ${database.schemaInSql}.job
    WHERE name = ANY($1) AND state < 'active' AND NOT blocked`,
    [queues],
  );
  return next ?? Number.POSITIVE_INFINITY;
}

/**
 * Lets other workers have jobs that a worker holds and that have not begun: as if it had never fetched them, so that no attempt
 * is counted. pg-boss counts one when it fetches a job that has the time of an earlier start.
 *
 * @param lacking whether the worker lacks their functions: then workers can tell them from others without fetching them
 */
export async function giveBackJobs(
  sql: Sql,
  schema: string,
  queue: string,
  jobs: readonly { readonly id: string; readonly retryCount: number; readonly data: JobData }[],
  lacking: boolean,
): Promise<void> {
  // Only those that are still this worker's: their run may just have been cancelled, or another worker has them.
  await sql.executeSql(
    `UPDATE ${schema}.job AS j SET state = 'created', started_on = NULL, heartbeat_on = NULL,
      data = j.data - 'begun', group_id = coalesce(g.lacks, j.group_id)
    FROM unnest($2::uuid[], $3::int[], $4::text[]) AS g (id, attempt, lacks)
    WHERE j.name = $1 AND j.id = g.id AND j.state = 'active' AND j.retry_count = g.attempt`,
    [
      queue,
      jobs.map(({ id }) => id),
      jobs.map(({ retryCount }) => retryCount),
      jobs.map(({ data }) => (lacking ? data.fn : null)),
    ],
  );
}

/** Fails jobs, each with a text of its own, in as many statements for many as for one. */
export async function failJobs(
  boss: PgBoss,
  sql: Sql,
  schema: string,
  queue: string,
  failed: readonly { readonly id: string; readonly retryCount: number; readonly failure: string }[],
): Promise<void> {
  // pg-boss takes one text for all.
  await sql.executeSql(
    `UPDATE ${schema}.job AS j SET data = j.data || jsonb_build_object('failure', g.failure)
    FROM unnest($2::uuid[], $3::int[], $4::text[]) AS g (id, attempt, failure)
    WHERE j.name = $1 AND j.id = g.id AND j.state = 'active' AND j.retry_count = g.attempt`,
    [
      queue,
      failed.map(({ id }) => id),
      failed.map(({ retryCount }) => retryCount),
      failed.map(({ failure }) => failure),
    ],
  );
  await boss.fail(queue, [...failed], null, { db: sql });
}

function dataOf(job: ClusterJob<unknown>, plan: Plan): JobData {
  const { name, timeout, kill = false, retries } = job._options;
  return {
    fn: job._function.name,
    ...(name !== undefined && { name }),
    ...(job._args !== "" && { args: job._args }),
    ...(job._uses.length > 0 && { uses: job._uses.map(([position, used]) => [position, used._index]) }),
    ...(plan.hasDependants(job._index) && { blocks: true }),
    ...(plan.hasDependantsElsewhere(job._index) && { elsewhere: true }),
    ...(timeout !== undefined && { limit: { timeout, kill } }),
    ...(retries === 0 && { once: true }),
  };
}

/** As `insertJobs` writes it. */
function rowOf(job: ClusterJob<unknown>, run: string, plan: Plan) {
  const { priority = "normal", retries } = job._options;
  return {
    id: jobIdOf(run, job._index),
    queue: job._function.queue,
    data: dataOf(job, plan),
    priority: PRIORITIES[priority],
    retries,
    blocking: plan.hasDependants(job._index),
    pending: job._prerequisites.size,
  };
}
