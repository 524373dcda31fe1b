/**
 * What this thread knows of the outcomes of up to 32 jobs of one function, spawned one after the other.
 *
 * Outcomes are kept apart from the handles, so that a handle is two words which nothing but its user refers to:
 * most of them die young, when the garbage collector need not touch them. The thread holds on to an `Outcomes`
 * until all its jobs have settled, and after that each of their handles does.
 */
import type { Engine } from "./engine.js";

/** States of a job. */
export const PENDING = 0;
export const DONE = 1;
export const FAILED = 2;

/** How many jobs share an `Outcomes`; a bit for each. */
export const SHARING_LOG = 5;
export const SHARING = 1 << SHARING_LOG;
const ALL = -1;

/** A promise with the functions that settle it. */
export interface Deferred<R> {
  readonly promise: Promise<R>;
  resolve(result: R): void;
  reject(error: unknown): void;
}

let resolveLatest!: (result: never) => void;
let rejectLatest!: (error: unknown) => void;
/** One for all promises, so that none takes a closure of its own. */
const keepFunctions = (resolve: (result: never) => void, reject: (error: unknown) => void) => {
  resolveLatest = resolve;
  rejectLatest = reject;
};

export function deferred<R>(): Deferred<R> {
  const promise = new Promise<R>(keepFunctions as never);
  return { promise, resolve: resolveLatest as (result: R) => void, reject: rejectLatest };
}

export class Outcomes {
  declare readonly engine: Engine;
  declare readonly functionId: number;
  /** Its number among those with pending jobs. */
  declare readonly number: number;
  /** For each place a bit: it is taken or not to be taken, its job is done or has failed, has failed, somebody will hear of its failure. */
  declare taken: number;
  declare settled: number;
  declare failed: number;
  declare observed: number;
  /** Results that are not undefined, and errors; until then, what waits for them. */
  declare values: unknown[] | undefined;
  /** Names of jobs that have one of their own, by place. */
  declare names: Map<number, string> | undefined;

  /** @param size how many jobs share it, 1 to 32 */
  constructor(engine: Engine, functionId: number, number: number, size: number) {
    this.engine = engine;
    this.functionId = functionId;
    this.number = number;
    this.taken = size === SHARING ? 0 : ALL << size;
    this.settled = this.taken;
    this.failed = 0;
    this.observed = 0;
    this.values = undefined;
    this.names = undefined;
  }

  /** Whether it has room for no further job. */
  get full(): boolean {
    return this.taken === ALL;
  }

  /** Whether all its jobs have settled, and there will be no others. */
  get finished(): boolean {
    return this.settled === ALL;
  }

  /** Lets no further job in. */
  close(): void {
    this.settled |= ~this.taken;
    this.taken = ALL;
  }

  /** Takes the next place, 0 to 31. */
  take(): number {
    const place = 31 - Math.clz32(~this.taken & (this.taken + 1));
    this.taken |= 1 << place;
    return place;
  }

  stateOf(place: number): number {
    const bit = 1 << place;
    if ((this.settled & bit) === 0) return PENDING;
    return (this.failed & bit) === 0 ? DONE : FAILED;
  }

  /** Notes the outcome of a job. @returns what waited for it */
  settle(place: number, state: number, outcome: unknown): Deferred<unknown> | undefined {
    const bit = 1 << place;
    this.settled |= bit;
    if (state === FAILED) this.failed |= bit;
    if (this.values === undefined && outcome === undefined) return undefined;
    const waiting = this.valueOf(place);
    this.setValue(place, outcome);
    return waiting as Deferred<unknown> | undefined;
  }

  /** The name of a job: its own, or its function's. */
  nameOf(place: number): string {
    return this.names?.get(place & (SHARING - 1)) ?? this.engine.functions.nameOf(this.functionId);
  }

  /** Gives a job a name of its own. */
  rename(place: number, name: string): void {
    this.names ??= new Map();
    this.names.set(place & (SHARING - 1), name);
  }

  valueOf(place: number): unknown {
    return this.values === undefined ? undefined : this.values[place & (SHARING - 1)];
  }

  setValue(place: number, value: unknown): void {
    this.values ??= new Array(SHARING).fill(undefined);
    this.values[place & (SHARING - 1)] = value;
  }
}
