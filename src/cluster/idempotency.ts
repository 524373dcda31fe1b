/** Which job of a cluster is being executed. */
import { AsyncLocalStorage } from "node:async_hooks";

const keys = new AsyncLocalStorage<string>();

/**
 * In a job of a cluster, what tells this job from all others, and is the same in each of its attempts: a UUID. A job may
 * run more than once (see docs/cluster.md); whoever is told of its effects, such as a payment service or a table with a
 * unique column, can use the key to let only the first one count.
 *
 * @returns undefined in a job that runs on one machine only, and outside of jobs; so also in jobs that a job makes
 * @example
 * export async function charge(order) {
 *   await payments.charge(order.card, order.total, { idempotencyKey: idempotencyKey() });
 * }
 */
export function idempotencyKey(): string | undefined {
  return keys.getStore();
}

/** Calls `job` as the job with this key. */
export function withKey<R>(key: string, job: () => R): R {
  return keys.run(key, job);
}
