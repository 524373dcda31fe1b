/**
 * Jobs of workers that were lost: that have not said for some time that they work at them. What had not begun is given
 * back, if the worker's log can be read (begin-log.ts). One of the other jobs may have ended the process, the others are
 * innocent, and nobody knows which is which. So none of them loses an attempt. Each becomes a suspect: workers run
 * suspects one at a time, and note before that they do. A worker that is lost then tells who is to blame; and what that job has
 * begun before counts as an attempt after all.
 *
 * A job that must not begin twice is noted whenever it begins, and is no suspect: it has begun and fails, or it has not.
 */
import { attemptKey, remains } from "./begin-log.js";
import type { Database, Sql } from "./database.js";
import { grouped } from "./grouped.js";
import { HEARTBEAT, READY, SUSPECTS } from "./queues.js";
import { Rounds } from "./rounds.js";
import type { Store } from "./store.js";

/** How often to look for them, in milliseconds. */
const LOOK_EVERY = 2500;
/** By how much a suspect's priority is below its own: so that it can be fetched apart. */
const BELOW = 100;
/** The least priority of a job that is no suspect. */
export const LEAST_PRIORITY = -BELOW / 2;

/** An attempt at a job. */
interface Attempt {
  readonly id: string;
  readonly retryCount: number;
}

export class Lost {
  readonly #database: Database;
  readonly #store: Store;
  readonly #queues: readonly string[];
  readonly #rounds: Rounds;
  /** When the next look is due. */
  #next = performance.now() + LOOK_EVERY;

  constructor(database: Database, store: Store, queues: readonly string[], report: (error: Error) => void) {
    this.#database = database;
    this.#store = store;
    this.#queues = queues;
    this.#rounds = new Rounds(LOOK_EVERY, () => this.#look(), report);
  }

  async close(): Promise<void> {
    await this.#rounds.close();
  }

  async #look(): Promise<void> {
    const late = performance.now() - this.#next;
    this.#next = performance.now() + LOOK_EVERY;
    // Nothing has run here meanwhile: this process's own jobs may look lost, until it has said that they are not.
    if (late > LOOK_EVERY) return;
    const { boss, schemaInSql: schema } = this.#database;
    await this.#readRemains();
    const silent = `j.name = ANY($1) AND j.state = 'active'
      AND j.heartbeat_on < ${schema}.job_now() - interval '${HEARTBEAT} seconds'`;
    const [{ any }] = await this.#database.query<{ any: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM ${schema}.job AS j WHERE ${silent}) AS any`,
      [this.#queues],
    );
    if (!any) return;
    await this.#database.transaction(async (sql) => {
      const forgiven = await forgive(sql, schema, silent, [this.#queues]);
      const { rows } = await sql.executeSql(
        `SELECT id, name, retry_count AS "retryCount" FROM ${schema}.job AS j WHERE ${silent} FOR UPDATE SKIP LOCKED`,
        [this.#queues],
      );
      await charge(sql, schema, silent, [this.#queues]);
      for (const [queue, some] of grouped(rows as (Attempt & { name: string })[], ({ name }) => name)) {
        await boss.fail(queue, some, { value: { message: "job heartbeat timeout" } }, { db: sql });
      }
      if (forgiven > 0) await this.#tell(sql);
    });
  }

  /** Gives back what processes of this machine had not begun when they came to an end, and writes down what had. */
  async #readRemains(): Promise<void> {
    const { begun, notBegun } = remains();
    const { schemaInSql: schema } = this.#database;
    const change = async (attempts: readonly string[], what: string) => {
      if (attempts.length === 0) return;
      await this.#database.query(
        `UPDATE ${schema}.job SET ${what}
        WHERE name = ANY($1) AND id = ANY($2::uuid[]) AND state = 'active' AND id || ':' || retry_count = ANY($3)
          AND heartbeat_on < ${schema}.job_now() - interval '${HEARTBEAT / 2} seconds'`,
        [this.#queues, attempts.map((attempt) => attempt.split(":", 1)[0]), attempts],
      );
    };
    await change(
      notBegun,
      `${TAKEN}, start_after = ${schema}.job_now(), data = data - 'begun' || ${oneMore("returned")}`,
    );
    await change(begun, SEEN);
  }

  /** Makes a suspect of a job in hand whose thread was lost together with others. */
  async suspect(held: Attempt & { readonly queue: string }): Promise<void> {
    const { schemaInSql: schema } = this.#database;
    await this.#database.transaction(async (sql) => {
      const values = [held.queue, held.id, held.retryCount];
      await sql.executeSql(`UPDATE ${schema}.job AS j SET ${SEEN} WHERE ${ONE}`, values);
      await forgive(sql, schema, ONE, values);
      await this.#tell(sql);
    });
  }

  /** A job in hand has ended its thread, as it was alone there. */
  async blame(held: Attempt & { readonly queue: string }): Promise<void> {
    await charge(this.#database.boss.getDb(), this.#database.schemaInSql, ONE, [held.queue, held.id, held.retryCount]);
  }

  /** Whether there are suspects that may begin. */
  async anySuspect(): Promise<boolean> {
    const { schemaInSql: schema } = this.#database;
    const [{ any }] = await this.#database.query<{ any: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM ${schema}.job WHERE name = ANY($1) AND state < 'active' AND NOT blocked
        AND priority < ${LEAST_PRIORITY} AND start_after <= ${schema}.job_now()) AS any`,
      [this.#queues],
    );
    return any;
  }

  /** Notes that jobs are about to begin. @returns the ids of those that are still this worker's */
  async noteBegun(queue: string, attempts: readonly Attempt[]): Promise<ReadonlySet<string>> {
    const rows = await this.#database.query<{ id: string }>(
      `UPDATE ${this.#database.schemaInSql}.job SET data = data || jsonb_build_object('begun', retry_count)
      WHERE name = $1 AND id = ANY($2::uuid[]) AND state = 'active' AND id || ':' || retry_count = ANY($3) RETURNING id`,
      [queue, attempts.map(({ id }) => id), attempts.map(attemptKey)],
    );
    return new Set(rows.map(({ id }) => id));
  }

  async #tell(sql: Sql): Promise<void> {
    await this.#store.notify(sql, SUSPECTS);
    await this.#store.notify(sql, READY);
  }
}

/** A job is taken from its worker. The attempt does not count; but the next has another number, so that the two can be told apart. */
const TAKEN = "state = 'retry', retry_limit = retry_limit + 1, heartbeat_on = NULL";

/** It is known to have begun. */
const SEEN = "data = data || '{\"seen\": true}'::jsonb";
/** An attempt in hand. */
const ONE = "j.name = $1 AND j.id = $2 AND j.state = 'active' AND j.retry_count = $3";

function oneMore(what: "returned" | "forgiven"): string {
  return `jsonb_build_object('${what}', coalesce((data->>'${what}')::int, 0) + 1)`;
}

/**
 * Takes jobs from lost workers, but those that were noted.
 *
 * @returns how many
 */
async function forgive(sql: Sql, schema: string, which: string, values: unknown[]): Promise<number> {
  const { rows } = await sql.executeSql(
    `UPDATE ${schema}.job AS j SET ${TAKEN}, start_after = ${schema}.job_now(),
      priority = CASE WHEN data ? 'once' OR data ? 'suspect' THEN priority ELSE priority - ${BELOW} END,
      data = data || CASE WHEN data ? 'once' THEN ${oneMore("returned")} ELSE '{"suspect": true}' || ${oneMore("forgiven")} END
    WHERE ${which} AND (data->>'begun')::int IS DISTINCT FROM retry_count RETURNING 1 AS one`,
    values,
  );
  return rows.length;
}

/** Counts attempts that were forgiven of jobs that are to blame, if they had begun. */
async function charge(sql: Sql, schema: string, which: string, values: unknown[]): Promise<void> {
  await sql.executeSql(
    `UPDATE ${schema}.job AS j SET retry_limit = retry_limit - (data->>'forgiven')::int, data = data - 'forgiven'
    WHERE ${which} AND data ? 'forgiven' AND data ? 'seen'`,
    values,
  );
}
