/** Steps: every access of the code under test to its memory, plain or atomic, and who answers it. */
import type { Words } from "../../../dist/sync/words.js";

/** As far as the memory seems to reach. */
const SIZE = 2 ** 22;

export type Kind =
  | "read"
  | "write"
  | "load"
  | "store"
  | "add"
  | "sub"
  | "or"
  | "exchange"
  | "compare"
  | "wait"
  | "notify";

export interface Step {
  readonly kind: Kind;
  readonly at: number;
  readonly a: number;
  readonly b: number;
}

/** Who answers the steps now. */
let answer: (step: Step) => number = () => 0;

export function answerWith(next: (step: Step) => number): void {
  answer = next;
}

const i32 = new Proxy(new Int32Array(0), {
  get: (_, key) =>
    typeof key === "string" && key !== "length" ? answer({ kind: "read", at: Number(key), a: 0, b: 0 }) : SIZE,
  set: (_, key, value: number) => {
    answer({ kind: "write", at: Number(key), a: value | 0, b: 0 });
    return true;
  },
});
/** The memory of all programs. */
export const words: Words = { i32, reach: () => {} };

const asked = (kind: Kind) => (_: unknown, at: number, a?: number, b?: number) =>
  answer({ kind, at, a: (a ?? 0) | 0, b: (b ?? 0) | 0 });
/** In the place of `Atomics`. */
export const stepping = {
  load: asked("load"),
  store: asked("store"),
  add: asked("add"),
  sub: asked("sub"),
  or: asked("or"),
  exchange: asked("exchange"),
  compareExchange: asked("compare"),
  wait: asked("wait"),
  notify: asked("notify"),
};

/** What a word holds after a step. */
export function changed({ kind, a, b }: Step, old: number): number {
  switch (kind) {
    case "write":
    case "store":
    case "exchange":
      return a;
    case "add":
      return (old + a) | 0;
    case "sub":
      return (old - a) | 0;
    case "or":
      return old | a;
    case "compare":
      return old === a ? b : old;
    default:
      return old;
  }
}

/** Steps that return nothing. */
export const SILENT: readonly Kind[] = ["write", "store", "wait", "notify"];

/** Answers steps at once, from `memory`. */
export function direct(memory: Map<number, number>, log?: number[]): (step: Step) => number {
  return (step) => {
    const old = memory.get(step.at) ?? 0;
    const now = changed(step, old);
    if (now !== old) memory.set(step.at, now);
    log?.push(old);
    return old;
  };
}
