/** What a job uses to make more jobs: they belong to the system that runs it. */
import { currentEngine, engineHere } from "./api/current.js";
import type { Engine } from "./api/engine.js";
import { Group } from "./api/group.js";
import type { Job } from "./api/job.js";
import { FEW, NONE } from "./values/codec.js";

/**
 * Makes a job from within a job; it does not run before it is scheduled. As `JobSystem.spawn`.
 *
 * @throws Error outside a job
 * @example
 * export function fib(n: number): number {
 *   if (n < 2) return n;
 *   const a = run(fib, n - 1);
 *   return fib(n - 2) + a.wait();
 * }
 */
export function spawn<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Job<Awaited<R>>;
export function spawn(fn: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown): Job<unknown> {
  // biome-ignore-start lint/complexity/noArguments: `...args`, or `arguments` itself handed on, would make an object for each job.
  const count = arguments.length - 1;
  const all: unknown[] = count > FEW ? [] : NONE;
  for (let k = 1; count > FEW && k <= count; k++) all.push(arguments[k]);
  return currentEngine().spawn(fn, count, a, b, c, d, all);
  // biome-ignore-end lint/complexity/noArguments: as above
}

/** Makes a job from within a job and schedules it. As `JobSystem.run`. @throws Error outside a job */
export function run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Job<Awaited<R>>;
export function run(fn: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown): Job<unknown> {
  // biome-ignore-start lint/complexity/noArguments: `...args`, or `arguments` itself handed on, would make an object for each job.
  const count = arguments.length - 1;
  const all: unknown[] = count > FEW ? [] : NONE;
  for (let k = 1; count > FEW && k <= count; k++) all.push(arguments[k]);
  return currentEngine().run(fn, count, a, b, c, d, all);
  // biome-ignore-end lint/complexity/noArguments: as above
}

/** Makes a group from within a job. As `JobSystem.group`. @throws Error outside a job */
export function group(): Group {
  return new Group(currentEngine());
}

/**
 * Whether the job that runs now is to stop: its signal was aborted, or its time is over. A long job asks now and then.
 *
 * @returns true from then on; always false for a job without such options
 * @throws Error outside the synchronous part of a job: outside a job, or after its first `await`
 * @example
 * export function search(boards: Boards): number {
 *   for (let k = 0; k < boards.length; k++) {
 *     if (isCancelled()) return k;
 *     evaluate(boards, k);
 *   }
 *   return boards.length;
 * }
 */
export function isCancelled(): boolean {
  const engine = engineInJob("isCancelled");
  return engine.signals.isCancelled(engine.context.running);
}

/**
 * A signal that is aborted when the job that runs now is to stop, as `isCancelled` says; for an asynchronous job, which hands
 * it on. It is aborted between jobs: one that does not give way, as it is synchronous, asks `isCancelled`, or calls this again.
 *
 * @returns always the same one for a job; for a job without such options, one that is never aborted
 * @throws Error outside the synchronous part of a job: outside a job, or after its first `await`
 * @example
 * export async function load(url: string): Promise<string> {
 *   const response = await fetch(url, { signal: signal() });
 *   return response.text();
 * }
 */
export function signal(): AbortSignal {
  const engine = engineInJob("signal");
  return engine.signals.of(engine.context.running);
}

/** @throws Error unless a job's function has been called and has not returned */
function engineInJob(what: string): Engine {
  const engine = engineHere();
  if (engine === undefined || engine.context.running === 0) {
    throw new Error(
      `${what}() works only in the synchronous part of a job: call signal() before the job's first await, and keep it`,
    );
  }
  return engine;
}

export type { Group } from "./api/group.js";
export type { Job } from "./api/job.js";
export type { JobOptions } from "./api/job-options.js";
