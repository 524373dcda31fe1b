/** The thread of `Heartbeat`, with a connection of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { Backoff } from "./backoff.js";
import { grouped } from "./grouped.js";
import { type Client, KEEP_ALIVE, loadPg } from "./pg.js";

/** What the thread is started with. */
export interface HeartbeatStart {
  /** Where pg is. */
  readonly pg: string;
  readonly url: string;
  readonly schema: string;
  /** How often to say it, in milliseconds. */
  readonly every: number;
}

/** An attempt of a job that the worker holds. */
export interface Attempt {
  /** No other one has it, even if the same attempt is given back and fetched again. */
  readonly number: number;
  readonly id: string;
  readonly retryCount: number;
  readonly queue: string;
}

/** What is held, and not any more. */
export type Change = { readonly added: Attempt } | { readonly removed: number };

/** What the thread tells: the numbers of what is not this worker's any more, or what went wrong. */
export type News = { readonly lost: readonly number[] } | { readonly error: Error; readonly code: unknown };

/** How long the database may take to answer, in milliseconds: so that another connection has its turn before the jobs count as lost. */
const MOST_SILENT = 3000;

const port = parentPort!;
const { pg, url, schema, every }: HeartbeatStart = workerData;
const held = new Map<number, Attempt>();
let ending = false;
let wake = () => {};

port.on("message", (message: readonly Change[] | "end") => {
  if (message === "end") {
    ending = true;
    wake();
    return;
  }
  for (const change of message) {
    if ("added" in change) held.set(change.added.number, change.added);
    else held.delete(change.removed);
  }
});

function tell(news: News): void {
  port.postMessage(news);
}

async function rest(milliseconds: number): Promise<void> {
  if (ending) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/**
 * As pg-boss's `touch`, but what somebody else is about to change is left out: a write of what came of one job would keep all from being
 * touched. @returns those that are still this worker's
 */
const TOUCH = `
  WITH mine AS (
    SELECT id FROM ${schema}.job
    WHERE name = $1 AND id = ANY($2::uuid[]) AND state = 'active' AND (id::text || ':' || retry_count::text) = ANY($3::text[])
  ), free AS (
    SELECT id FROM ${schema}.job
    WHERE name = $1 AND id = ANY($2::uuid[]) AND state = 'active' AND (id::text || ':' || retry_count::text) = ANY($3::text[])
    FOR NO KEY UPDATE SKIP LOCKED
  ), touched AS (
    UPDATE ${schema}.job AS j SET heartbeat_on = now() FROM free WHERE j.name = $1 AND j.id = free.id
  )
  SELECT id FROM mine`;

async function touch(client: Client): Promise<void> {
  for (const [queue, some] of grouped(held.values(), (each) => each.queue)) {
    const ids = some.map(({ id }) => id);
    const attempts = some.map(({ id, retryCount }) => `${id}:${retryCount}`);
    const { rows } = await client.query(TOUCH, [queue, ids, attempts]);
    const still = new Set(rows.map(({ id }) => id));
    const lost = some.filter(({ id, number }) => !still.has(id) && held.delete(number));
    if (lost.length > 0) tell({ lost: lost.map(({ number }) => number) });
  }
}

/** Touches until the connection fails. */
async function beat(backoff: Backoff): Promise<void> {
  const { Client } = loadPg(pg);
  const client = new Client({
    connectionString: url,
    application_name: "heddle heartbeat",
    connectionTimeoutMillis: MOST_SILENT,
    query_timeout: MOST_SILENT,
    ...KEEP_ALIVE,
  });
  // Whatever is asked next says so.
  client.on("error", () => {});
  try {
    await client.connect();
    while (!ending) {
      await touch(client);
      backoff.reset();
      await rest(every);
    }
  } finally {
    // At once, where a statement has no answer.
    void client.end().catch(() => {});
  }
}

async function main(): Promise<void> {
  const backoff = new Backoff();
  while (!ending) {
    try {
      await beat(backoff);
    } catch (error) {
      // Messages carry no code.
      tell({ error: error as Error, code: (error as { code?: unknown }).code });
      await rest(Math.min(backoff.next(), every));
    }
  }
  // Nothing is left but the goodbye to the database.
  port.close();
}

void main();
