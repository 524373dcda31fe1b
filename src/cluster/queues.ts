/** The queues of pg-boss that a cluster uses, and what is in them. */
import type { PgBoss } from "pg-boss";

/** Jobs that failed for good, as pg-boss puts them there: see failures.ts. */
export const FAILED_QUEUE = "failed";

/** Told to workers when jobs may be ready. */
export const READY = "ready";

/** How long a worker may be silent before its jobs are given to others, in seconds: the least that pg-boss allows. */
export const HEARTBEAT = 10;

/** What is kept with a job in its queue. */
export interface JobData {
  /** The function's name. */
  fn: string;
  /** Its own name. */
  name?: string;
  /** Its arguments, as text. */
  args?: string;
  /** Arguments that are other jobs' results. */
  uses?: [position: number, job: number][];
  /** Whether any job depends on it. */
  blocks?: boolean;
  /** How long it may run, in milliseconds. */
  limit?: { timeout: number; kill: boolean };
}

const DAY = 24 * 60 * 60;
/** As long as a job may run: the most that pg-boss allows. */
const EXPIRES = DAY;
/** How long a job may wait for its turn. */
const RETENTION = 10 * 365 * DAY;

/** Creates the queues of modules, and that of failures, unless they are there. */
export async function createQueues(boss: PgBoss, queues: readonly string[]): Promise<void> {
  const kept = {
    expireInSeconds: EXPIRES,
    retentionSeconds: RETENTION,
    deleteAfterSeconds: DAY,
    heartbeatSeconds: HEARTBEAT,
  };
  // What is to be done about a failure must be done, however often it takes.
  await boss.createQueue(FAILED_QUEUE, { ...kept, retryLimit: 1_000_000, retryDelay: 1 });
  for (const queue of queues) await boss.createQueue(queue, { ...kept, deadLetter: FAILED_QUEUE });
}
