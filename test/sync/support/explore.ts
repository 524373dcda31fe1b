/**
 * Tries all interleavings of small programs on shared memory, under sequential consistency.
 *
 * The code under test is the compiled library itself: the global `Atomics` is replaced by a stepped
 * one, and its words are a proxy, so that plain reads and writes are steps too. As the code is
 * synchronous and deterministic, a thread advances by one step by being run again from its start:
 * earlier steps are answered from its log, the next one is done on the memory and logged, and the
 * one after that stops it. Equal states (memory and logs) are visited once.
 */
import type { Words } from "../../../dist/sync/words.js";

/** A virtual thread: makes its own objects on `words` and does something; it may be run many times. */
export type Program = (words: Words) => unknown;

export interface Outcome {
  readonly memory: Int32Array;
  readonly results: readonly unknown[];
}

export interface Exploration {
  readonly states: number;
  readonly ends: number;
}

const LIMIT = 3_000_000;

/** Stops a thread after its step; made once, as stack traces cost time. */
const PAUSE = new Error("pause");

interface Thread {
  readonly log: number[];
  /** The word it sleeps on, or -1. */
  asleep: number;
  finished: boolean;
  result: unknown;
}

interface State {
  readonly memory: Int32Array;
  readonly threads: readonly Thread[];
}

/**
 * Explores every interleaving of `programs` and calls `check` at each end.
 *
 * @param initial the memory at the start, or the number of its words when all are zero
 * @throws Error when all unfinished threads sleep (a lost wake), or there are too many states
 */
export function explore(
  initial: number | Int32Array,
  programs: readonly Program[],
  check: (outcome: Outcome) => void,
): Exploration {
  const start: State = {
    memory: typeof initial === "number" ? new Int32Array(initial) : initial.slice(),
    threads: programs.map(() => ({ log: [], asleep: -1, finished: false, result: undefined })),
  };
  const seen = new Set<string>();
  const open: State[] = [start];
  let ends = 0;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    const key = `${state.memory.join()}|${state.threads.map((t) => `${t.log.join()}${t.asleep}`).join("|")}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > LIMIT) throw new Error(`more than ${LIMIT} states`);
    if (state.threads.every((thread) => thread.finished)) {
      ends++;
      check({ memory: state.memory, results: state.threads.map((thread) => thread.result) });
      continue;
    }
    const able = state.threads.flatMap((thread, index) => (thread.finished || thread.asleep >= 0 ? [] : [index]));
    if (able.length === 0) throw new Error("all threads sleep: a wake was lost");
    for (const index of able) open.push(advance(state, index, programs[index]));
  }
  return { states: seen.size, ends };
}

/** The state after one more step of a thread. */
function advance(before: State, index: number, program: Program): State {
  const memory = before.memory.slice();
  const threads = before.threads.map((thread) => ({ ...thread, log: thread.log.slice() }));
  const self = threads[index];
  let replayed = 0;
  let stepped = false;
  const step = (action: () => number): number => {
    if (replayed < self.log.length) return self.log[replayed++];
    if (stepped) throw PAUSE;
    stepped = true;
    const value = action();
    self.log.push(value);
    replayed++;
    if (self.asleep >= 0) throw PAUSE;
    return value;
  };
  const change = (at: number, to: (old: number) => number) =>
    step(() => {
      const old = memory[at];
      memory[at] = to(old);
      return old;
    });
  const stepping = {
    load: (_: unknown, at: number) => step(() => memory[at]),
    store: (_: unknown, at: number, value: number) => change(at, () => value),
    add: (_: unknown, at: number, value: number) => change(at, (old) => old + value),
    sub: (_: unknown, at: number, value: number) => change(at, (old) => old - value),
    or: (_: unknown, at: number, value: number) => change(at, (old) => old | value),
    exchange: (_: unknown, at: number, value: number) => change(at, () => value),
    compareExchange: (_: unknown, at: number, expected: number, value: number) =>
      change(at, (old) => (old === expected ? value : old)),
    wait: (_: unknown, at: number, expected: number) => {
      step(() => {
        if (memory[at] === expected) self.asleep = at;
        return 0;
      });
      return "ok";
    },
    notify: (_: unknown, at: number) =>
      step(() => {
        const sleepers = threads.filter((thread) => thread.asleep === at);
        for (const thread of sleepers) thread.asleep = -1;
        return sleepers.length;
      }),
  };
  const i32 = new Proxy(memory, {
    get: (_, key) => (typeof key === "string" && /^\d+$/.test(key) ? step(() => memory[Number(key)]) : undefined),
    set: (_, key, value: number) => {
      change(Number(key), () => value);
      return true;
    },
  });
  const real = globalThis.Atomics;
  globalThis.Atomics = stepping as unknown as typeof Atomics;
  try {
    self.result = program({ i32, reach: () => {} });
    self.finished = true;
  } catch (error) {
    if (error !== PAUSE) throw error;
  } finally {
    globalThis.Atomics = real;
  }
  return { memory, threads };
}
