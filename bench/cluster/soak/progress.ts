/**
 * Watches open runs for such as make no progress, neither an outcome nor an execution that begins, though a worker could make some; and
 * says in which state their jobs are.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "heddle/cluster";
import { PgBoss } from "pg-boss";
import type { Faults } from "./faults.js";
import { cancel, type Flight } from "./flight.js";
import { clock, type Notes } from "./notes.js";
import type { Tally } from "./tally.js";
import type { Workers } from "./workers.js";

/** In milliseconds, in which an able worker was there. */
const LONGEST_REST = 60_000;
const LOOK_EVERY = 1000;
/** Digits of a job's id that are not its run's. */
const OWN_DIGITS = 8;

interface Watched {
  /** How far it was, and for how long it has not gone on. */
  before: string;
  rest: number;
  isStuck: boolean;
}

export interface Observed {
  readonly flights: ReadonlySet<Flight>;
  readonly monitor: Cluster;
  readonly workers: Workers;
  readonly faults: Faults;
  readonly notes: Notes;
  readonly tally: Tally;
  readonly url: string;
  readonly schema: string;
}

/** Looks every second. A run that is stuck is cancelled; one that does not end then is given up. */
export async function watchProgress(observed: Observed, signal: AbortSignal): Promise<void> {
  const all = new Map<Flight, Watched>();
  let last = clock();
  while (!signal.aborted) {
    await delay(LOOK_EVERY, undefined, { signal }).catch(() => {});
    const now = clock();
    // When this process itself had no time, others had none either.
    const passed = Math.min(now - last, 2 * LOOK_EVERY);
    last = now;
    const isAble = observed.workers.able && !observed.faults.isServerDown;
    if (isAble) observed.tally.able += passed;
    observed.notes.read();
    for (const flight of observed.flights) {
      const watched = all.get(flight) ?? { before: "", rest: 0, isStuck: false };
      all.set(flight, watched);
      await look(observed, flight, watched, isAble ? passed : 0);
    }
    for (const flight of all.keys()) if (!observed.flights.has(flight)) all.delete(flight);
  }
}

async function look(observed: Observed, flight: Flight, watched: Watched, passed: number): Promise<void> {
  const { monitor, notes, tally } = observed;
  const status = await statusOf(monitor, flight.id);
  if (status === undefined) return;
  const counts = `${status.completed} completed, ${status.failed} failed, ${status.cancelled} cancelled of ${status.jobs}`;
  const now = `${counts}, ${notes.countOf(flight.plan.graph)} executions`;
  watched.rest = now === watched.before ? watched.rest + passed : 0;
  watched.before = now;
  tally.longestRest = Math.max(tally.longestRest, watched.rest);
  if (watched.rest < LONGEST_REST) return;
  watched.rest = 0;
  const name = `graph ${flight.plan.graph} (${flight.id})`;
  if (status.ended !== undefined) {
    tally.note("stuck", `${name} has ended, and who submitted it has not heard of it`);
    flight.givenUp.abort();
  } else if (watched.isStuck) {
    tally.note("lost", `${name} was stuck, was cancelled and has not ended: ${counts}`);
    flight.givenUp.abort();
  } else {
    watched.isStuck = true;
    const waits = status.waitingFor.length === 0 ? "" : `; waits for ${status.waitingFor}`;
    tally.note("stuck", `${name}: ${counts}${waits}${await statesOf(observed, flight.id)}`);
    void cancel(await monitor.attach(flight.id), flight);
  }
}

async function statusOf(monitor: Cluster, id: string) {
  try {
    return await (await monitor.attach(id)).status();
  } catch {
    // The server is just not there.
    return undefined;
  }
}

/** How many of a run's jobs pg-boss has in which state, to find out why they are stuck. */
async function statesOf({ url, schema }: Observed, id: string): Promise<string> {
  const boss = new PgBoss({ connectionString: url, schema, supervise: false, schedule: false, migrate: false });
  boss.on("error", () => {});
  try {
    await boss.start();
    const { rows } = await boss.getDb().executeSql(
      `SELECT name, state, data->>'fn' AS fn, retry_count AS tried, retry_limit AS most, blocked, count(*)::int AS jobs,
        min(extract(epoch FROM now() - heartbeat_on))::int AS silent, min(extract(epoch FROM start_after - now()))::int AS waits
      FROM ${schema}.job WHERE left(id::text, -${OWN_DIGITS}) = $1 AND state < 'completed' GROUP BY 1, 2, 3, 4, 5, 6`,
      [id.slice(0, -OWN_DIGITS)],
    );
    return rows.map((row) => `\n    ${JSON.stringify(row)}`).join("");
  } catch (error) {
    return `\n    ${error}`;
  } finally {
    await boss.stop({ graceful: false });
  }
}
