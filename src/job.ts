/** What a job uses to make more jobs: they belong to the system that runs it. */
import { currentEngine } from "./api/current.js";
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

export type { Group } from "./api/group.js";
export type { Job } from "./api/job.js";
