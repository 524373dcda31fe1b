/**
 * Tries all interleavings of small programs on shared memory, under sequential consistency.
 *
 * The code under test is the compiled library itself: the global `Atomics` is replaced by a stepped one, and
 * the memory is a proxy, so that plain reads and writes are steps too. The code is synchronous and
 * deterministic, so what a thread does next follows from what its steps have returned so far: its history.
 * To learn its next step, its program is run again from the beginning, earlier steps being answered from the
 * history, until it asks for one more; this is done once for each history, however many states have it.
 *
 * A state is the words that threads share, and each thread's history; equal states are visited once. A word
 * that only one thread uses, or that nobody writes, takes no steps: using it commutes with whatever the
 * others do. Which words those are is found out: if a word turns out to be shared, the exploration begins anew.
 *
 * Interleavings cannot show that a plain access should be atomic; so, when all is well, data races are looked for in
 * some executions (races.ts).
 */
import assert from "node:assert/strict";
import type { Words } from "../../../dist/sync/words.js";
import { Races } from "./races.js";
import { answerWith, changed, direct, SILENT, type Step, stepping, words } from "./steps.js";

/**
 * A virtual thread. Called, it prepares: makes its own objects on `words`, and does what is done before the
 * threads run (in the order of the programs, without interleavings). What it returns is then explored. Both
 * are run many times, so all objects must be made by them.
 */
export type Program = (words: Words) => () => unknown;

/**
 * Returned by a program that is to begin anew, as its thread is where it was in the beginning but for the words that
 * are shared: so a loop has finitely many states.
 */
export const AGAIN = Symbol("again");

/** The memory at an end, and what the programs have returned. */
export interface Outcome {
  readonly words: Words;
  readonly results: readonly unknown[];
}

export interface Exploration {
  readonly states: number;
  readonly ends: number;
}

export interface Options {
  /** Writes what stands in the memory before the preparations. */
  readonly setUp?: (words: Words) => void;
  /** Asked after the preparations for words of which another thread's plain read may return the value before the last write. */
  readonly mayBeOld?: () => readonly number[];
  /** Whether data races on a word are harmless for another reason; no older values are tried there. */
  readonly mayRace?: (word: number) => boolean;
  /** Words to which the code adds and from which it subtracts without using what that returns; to use it throws. */
  readonly unused?: readonly number[];
  /** The word in which `owner` says what it has got back: see `Guard`. */
  readonly guard?: Guard;
}

/**
 * Finds accesses to what was given back: once the guard's word holds an address, no thread but `owner` may use the
 * `length` words from there, except those at an offset in `open`.
 */
export interface Guard {
  readonly word: number;
  readonly owner: number;
  readonly length: number;
  readonly open: readonly number[];
}

const LIMIT = 2_000_000;
const LONGEST = 1000;
/** Executions in which to look for data races. */
const WALKS = 700;

/** A thread that has done certain steps: what comes next, once that is known. */
interface History {
  readonly number: number;
  readonly before: History | undefined;
  readonly value: number;
  readonly after: Map<number, History>;
  next: Step | undefined;
  finished: boolean;
  result: unknown;
  /** What it has written to words of its own. */
  own: ReadonlyMap<number, number>;
}

interface State {
  readonly values: Int32Array;
  /** For words whose plain reads may be old: the value before the last write, and who wrote. */
  readonly older: Int32Array;
  readonly threads: readonly History[];
  /** The word that each thread sleeps on, or -1. */
  readonly asleep: readonly number[];
  readonly before: State | undefined;
  readonly what: string;
}

/** Stops a thread at its next step; made once, as stack traces cost time. */
const PAUSE = new Error("pause");

/** Instead of a number that the code does not use. */
const UNUSED = Symbol("unused");

/**
 * Explores every interleaving of `programs` and calls `check` at each end.
 *
 * @throws Error when all unfinished threads sleep (a lost wake), the guard is ignored, or there are too many states;
 * and whatever `check` or a program throws
 */
export function explore(
  programs: readonly Program[],
  check: (outcome: Outcome) => void,
  options: Options = {},
): Exploration {
  const real = { Atomics: globalThis.Atomics, queueMicrotask: globalThis.queueMicrotask };
  globalThis.Atomics = stepping as unknown as typeof Atomics;
  // A program does itself what else a microtask would do.
  globalThis.queueMicrotask = () => {};
  try {
    const shared = new Set<number>();
    if (options.guard !== undefined) shared.add(options.guard.word);
    for (;;) {
      const run = new Run(programs, check, options, [...shared]);
      const done = run.explore();
      if (done !== undefined) {
        run.findRaces();
        return done;
      }
      shared.add(run.conflict);
    }
  } finally {
    Object.assign(globalThis, real);
  }
}

class Run {
  readonly #programs: readonly Program[];
  readonly #check: (outcome: Outcome) => void;
  readonly #options: Options;
  readonly #shared: readonly number[];
  readonly #indexOf = new Map<number, number>();
  readonly #mayBeOld: Set<number>;
  readonly #initial = new Map<number, number>();
  readonly #preparations: number[][] = [];
  /** Who uses the words that seem to be nobody else's: a bit for each thread, and one if it was written. */
  readonly #users = new Map<number, number>();
  #histories = 0;
  /** A word that has turned out to be shared, or -1. */
  conflict = -1;

  constructor(
    programs: readonly Program[],
    check: (outcome: Outcome) => void,
    options: Options,
    shared: readonly number[],
  ) {
    this.#programs = programs;
    this.#check = check;
    this.#options = options;
    this.#shared = shared;
    for (const [index, word] of shared.entries()) this.#indexOf.set(word, index);
    answerWith(direct(this.#initial));
    options.setUp?.(words);
    for (const program of programs) {
      const log: number[] = [];
      answerWith(direct(this.#initial, log));
      program(words);
      this.#preparations.push(log);
    }
    this.#mayBeOld = new Set(options.mayBeOld?.() ?? []);
  }

  /** @returns undefined if a word has turned out to be shared */
  explore(): Exploration | undefined {
    const first = this.#firstState();
    const seen = new Set<string>();
    const open: State[] = [first];
    let ends = 0;
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      const numbers = state.threads.map((thread, k) => (state?.asleep[k] === -1 ? thread.number : -thread.number));
      const key = `${state.values.join()}|${state.older.join()}|${numbers.join()}`;
      if (seen.has(key)) continue;
      seen.add(key);
      if (seen.size > LIMIT) throw new Error(`more than ${LIMIT} states`);
      try {
        for (let thread = 0; thread < state.threads.length; thread++) this.#know(thread, state.threads[thread]);
        if (this.conflict >= 0) return undefined;
        if (state.threads.some((thread) => thread.result === AGAIN)) open.push(this.#beginAnew(state, first));
        else if (state.threads.every((thread) => thread.finished)) {
          ends++;
          this.#end(state);
        } else this.#advanceAll(state, open);
      } catch (error) {
        if (error instanceof Error) error.message += `\n${traceOf(state)}`;
        throw error;
      }
      if (this.conflict >= 0) return undefined;
    }
    return { states: seen.size, ends };
  }

  /** The state in which the threads that want to begin anew have done so. */
  #beginAnew(state: State, first: State): State {
    const threads = state.threads.map((thread, k) => {
      if (thread.result !== AGAIN) return thread;
      for (const [word, value] of thread.own) {
        assert.equal(value, this.#initial.get(word) ?? 0, `thread ${k} begins anew, but has changed word ${word}`);
      }
      return first.threads[k];
    });
    return { ...state, threads };
  }

  /**
   * Runs through some executions, chosen at random but always the same ones, and looks for data races in them.
   *
   * @throws Error when there is one
   */
  findRaces(): void {
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 48271) >>> 0) % 0x7fffffff;
      return seed % below;
    };
    for (let k = 0; k < WALKS; k++) {
      const races = new Races(this.#programs.length, this.#mayBeOld);
      let state = this.#firstState();
      const first = state;
      for (;;) {
        for (let thread = 0; thread < state.threads.length; thread++) this.#know(thread, state.threads[thread]);
        if (state.threads.some((thread) => thread.result === AGAIN)) state = this.#beginAnew(state, first);
        const able = state.threads.flatMap(({ next }, thread) =>
          next === undefined || state.asleep[thread] >= 0 ? [] : [{ thread, next }],
        );
        if (able.length === 0) break;
        const { thread, next } = able[random(able.length)];
        const value = state.values[this.#indexOf.get(next.at) as number];
        try {
          if (!this.#options.mayRace?.(next.at))
            races.note(thread, next, Races.mayWrite(next.kind) && (next.kind !== "compare" || value === next.a));
        } catch (error) {
          if (error instanceof Error) error.message += `\n${traceOf(state)}`;
          throw error;
        }
        state = this.#advance(state, thread, next, false);
      }
    }
  }

  #firstState(): State {
    return {
      values: Int32Array.from(this.#shared, (word) => this.#initial.get(word) ?? 0),
      older: new Int32Array(2 * this.#mayBeOld.size).fill(-1),
      threads: this.#programs.map(() => this.#history(undefined, 0)),
      asleep: this.#programs.map(() => -1),
      before: undefined,
      what: "",
    };
  }

  #end(state: State): void {
    const memory = new Map(this.#initial);
    for (const thread of state.threads) for (const [word, value] of thread.own) memory.set(word, value);
    for (const [word, index] of this.#indexOf) memory.set(word, state.values[index]);
    answerWith(direct(memory));
    this.#check({ words, results: state.threads.map((thread) => thread.result) });
  }

  #advanceAll(state: State, open: State[]): void {
    let able = 0;
    for (let thread = 0; thread < state.threads.length; thread++) {
      const step = state.threads[thread].next;
      if (step === undefined || state.asleep[thread] >= 0) continue;
      able++;
      this.#guard(state, thread, step);
      open.push(this.#advance(state, thread, step, false));
      if (step.kind === "read" && this.#olderOf(state, thread, step.at) !== undefined) {
        open.push(this.#advance(state, thread, step, true));
      }
    }
    if (able === 0) throw new Error("all threads sleep: a wake was lost");
  }

  /** The state after a thread's next step. */
  #advance(state: State, thread: number, step: Step, old: boolean): State {
    const index = this.#indexOf.get(step.at) as number;
    const value = old ? (this.#olderOf(state, thread, step.at) as number) : state.values[index];
    const now = changed(step, value);
    const threads = state.threads.slice();
    const asleep = state.asleep.slice();
    let { values, older } = state;
    if (now !== value) {
      values = values.slice();
      values[index] = now;
      older = this.#noteOlder(older, step.at, value, thread);
    }
    if (step.kind === "wait" && value === step.a) asleep[thread] = step.at;
    else threads[thread] = this.#history(threads[thread], this.#unused(step) ? 0 : value);
    for (let k = 0; step.kind === "notify" && k < threads.length; k++) {
      if (asleep[k] !== step.at) continue;
      asleep[k] = -1;
      threads[k] = this.#history(threads[k], 0);
    }
    const what = `thread ${thread}: ${step.kind} [${step.at}] ${value}${now === value ? "" : ` -> ${now}`}${old ? " (old)" : ""}`;
    return { values, older, threads, asleep, before: state, what };
  }

  /** Whether a thread learns nothing from a step. */
  #unused({ kind, at }: Step): boolean {
    if (SILENT.includes(kind)) return true;
    return (kind === "add" || kind === "sub") && (this.#options.unused?.includes(at) ?? false);
  }

  #answerOf(step: Step, value: number): number {
    return this.#unused(step) ? (UNUSED as unknown as number) : value;
  }

  #noteOlder(older: Int32Array, word: number, value: number, writer: number): Int32Array {
    const place = [...this.#mayBeOld].indexOf(word);
    if (place < 0) return older;
    const noted = older.slice();
    noted[2 * place] = value;
    noted[2 * place + 1] = writer;
    return noted;
  }

  /** An older value that a plain read of a word may still return. */
  #olderOf(state: State, thread: number, word: number): number | undefined {
    const place = [...this.#mayBeOld].indexOf(word);
    if (place < 0) return undefined;
    const writer = state.older[2 * place + 1];
    return writer < 0 || writer === thread ? undefined : state.older[2 * place];
  }

  #guard(state: State, thread: number, { kind, at }: Step): void {
    const { guard } = this.#options;
    if (guard === undefined || guard.owner === thread) return;
    const start = state.values[this.#indexOf.get(guard.word) as number];
    if (start === 0 || at < start || at >= start + guard.length || guard.open.includes(at - start)) return;
    throw new Error(`thread ${thread} uses what was given back: ${kind} of the word at ${at - start}`);
  }

  #history(before: History | undefined, value: number): History {
    let history = before?.after.get(value);
    if (history === undefined) {
      const number = ++this.#histories;
      history = {
        number,
        before,
        value,
        after: new Map(),
        next: undefined,
        finished: false,
        result: undefined,
        own: NO_WORDS,
      };
      before?.after.set(value, history);
    }
    return history;
  }

  /** Runs a thread's program up to its next step, if that is not known yet. */
  #know(thread: number, history: History): void {
    if (history.finished || history.next !== undefined) return;
    const past: number[] = [];
    for (let each = history; each.before !== undefined; each = each.before) past.push(each.value);
    if (past.length > LONGEST) throw new Error(`thread ${thread} takes more than ${LONGEST} steps`);
    const prepared = this.#preparations[thread].slice().reverse();
    answerWith(() => prepared.pop() as number);
    const program = this.#programs[thread](words);
    const own = new Map<number, number>();
    answerWith((step) => {
      // Cleaning up in a `finally` after the pause.
      if (history.next !== undefined || this.conflict >= 0) throw PAUSE;
      if (!this.#indexOf.has(step.at)) return this.#ownStep(thread, own, step);
      if (past.length > 0) return this.#answerOf(step, past.pop() as number);
      history.next = step;
      throw PAUSE;
    });
    try {
      history.result = program();
      history.finished = true;
      history.own = own;
    } catch (error) {
      if (error !== PAUSE) throw error;
    }
  }

  /** A step on a word that nobody else seems to use. */
  #ownStep(thread: number, own: Map<number, number>, step: Step): number {
    const old = own.get(step.at) ?? this.#initial.get(step.at) ?? 0;
    const writes = step.kind !== "read" && step.kind !== "load";
    const users = (this.#users.get(step.at) ?? 0) | (2 << thread) | (writes ? 1 : 0);
    this.#users.set(step.at, users);
    const others = users >> 1;
    if (step.kind === "wait" || step.kind === "notify" || ((users & 1) === 1 && (others & (others - 1)) !== 0)) {
      this.conflict = step.at;
      throw PAUSE;
    }
    own.set(step.at, changed(step, old));
    return old;
  }
}

const NO_WORDS: ReadonlyMap<number, number> = new Map();

/** The steps that led to a state, for the message of a failure. */
function traceOf(state: State): string {
  const steps: string[] = [];
  for (let each: State | undefined = state; each?.before !== undefined; each = each.before) steps.push(each.what);
  return steps.reverse().join("\n");
}
