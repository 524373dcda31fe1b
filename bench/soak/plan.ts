/** A random graph of jobs of all kinds: what is to be submitted, not yet how it goes. */
import type { JobOptions } from "heddle";
import { HANDLE_KINDS } from "./handles.js";
import type { Random } from "./random.js";
import * as work from "./work.js";

/** The job functions by kind. */
export const FUNCTIONS = {
  plain: work.plain,
  asynchronous: work.asynchronous,
  parent: work.parent,
  awaitingParent: work.awaitingParent,
  groupParent: work.groupParent,
  failing: work.failing,
  exiting: work.exiting,
  throwingOutside: work.throwingOutside,
  leaving: work.leaving,
};
export type JobKind = keyof typeof FUNCTIONS;

export interface PlannedJob {
  readonly kind: JobKind;
  readonly place: work.Place;
  /** Milliseconds, children, an exit code or the number of a kind of handle. */
  readonly amount: number;
  readonly options: JobOptions;
}

export interface Plan {
  readonly jobs: readonly PlannedJob[];
  /** When the signal of its jobs is aborted, in milliseconds, if ever. */
  readonly abortAfter: number | undefined;
  readonly abort: AbortController;
  /** How many jobs a group has that runs besides, if any. */
  readonly members: number;
}

const MOST_JOBS = 300;
const MOST_MEMBERS = 300;
/** In milliseconds. */
const LONGEST_JOB = 3;
const LONGEST_DELAY = 10;
const LATEST_ABORT = 30;
const LONGEST_LIMIT = 4;
const MOST_CHILDREN = 20;
const EXIT_CODES = [0, 1, 7, 255];

export function randomPlan(random: Random): Plan {
  // As many small graphs as large ones.
  const size = 3 + random.below(1 + random.below(MOST_JOBS - 2));
  const fan = 1 + random.below(4);
  const abort = new AbortController();
  const jobs: PlannedJob[] = [];
  for (let index = 0; index < size; index++) {
    const prerequisites = index === 0 ? [] : randomPrerequisites(random, index, fan);
    jobs.push(planned(random, randomKind(random), { index, prerequisites, kind: random.of(work.RESULT_KINDS) }, abort));
  }
  return {
    jobs,
    abort,
    abortAfter: random.oneIn(3) ? random.below(LATEST_ABORT) : undefined,
    members: random.oneIn(4) ? random.below(MOST_MEMBERS) : 0,
  };
}

/** A graph of one job of this kind. */
export function planOf(random: Random, kind: JobKind): Plan {
  const abort = new AbortController();
  const place: work.Place = { index: 0, prerequisites: [], kind: random.of(work.RESULT_KINDS) };
  return { jobs: [planned(random, kind, place, abort)], abort, abortAfter: undefined, members: 0 };
}

/** Some of the jobs before `index`: near ones, any ones, or now and then many. */
function randomPrerequisites(random: Random, index: number, fan: number): number[] {
  const chosen = new Set<number>();
  for (let k = random.oneIn(20) ? random.below(index) : random.below(fan + 1); k > 0; k--) {
    chosen.add(random.oneIn(2) ? random.below(index) : Math.max(0, index - 1 - random.below(8)));
  }
  return [...chosen];
}

function randomKind(random: Random): JobKind {
  if (random.oneIn(80)) return "failing";
  if (random.oneIn(3000)) return random.of(["exiting", "throwingOutside"]);
  if (random.oneIn(60)) return "leaving";
  if (random.oneIn(8)) return random.of(["asynchronous", "awaitingParent"]);
  if (random.oneIn(10)) return random.of(["parent", "groupParent"]);
  return "plain";
}

function planned(random: Random, kind: JobKind, place: work.Place, abort: AbortController): PlannedJob {
  return { kind, place, amount: randomAmount(random, kind), options: randomOptions(random, kind, abort) };
}

function randomAmount(random: Random, kind: JobKind): number {
  if (kind === "asynchronous" || kind === "throwingOutside") return random.below(LONGEST_DELAY);
  if (kind === "exiting") return random.of(EXIT_CODES);
  if (kind === "leaving") return random.below(HANDLE_KINDS.length);
  if (kind === "plain") return random.oneIn(8) ? random.below(LONGEST_JOB + 1) : 0;
  return random.below(MOST_CHILDREN);
}

/** What may run on the main thread: what ends its worker would end the process, and who waits executes other jobs. */
const PINNABLE: readonly JobKind[] = ["plain", "asynchronous", "awaitingParent", "failing"];

function randomOptions(random: Random, kind: JobKind, { signal }: AbortController): JobOptions {
  const pinned = PINNABLE.includes(kind) && random.oneIn(30);
  return {
    ...(random.oneIn(3) && { signal }),
    ...(random.oneIn(4) && { priority: random.of(["high", "normal", "low"]) }),
    ...(random.oneIn(4) && { retries: random.below(4) }),
    // The main thread watches the time of others.
    ...(pinned ? { on: "main" } : random.oneIn(10) && randomLimit(random)),
  };
}

function randomLimit(random: Random): JobOptions {
  return { timeout: 1 + random.below(LONGEST_LIMIT), kill: random.oneIn(4) };
}
