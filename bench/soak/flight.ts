/** Runs a plan through the public API, and checks all that can be known of how it went. */
import { isDeepStrictEqual } from "node:util";
import {
  DependencyFailedError,
  type Job,
  JobCancelledError,
  JobFailedError,
  type JobSystem,
  JobTimeoutError,
  shared,
  WorkerCrashedError,
} from "heddle";
import { HANDLE_KINDS } from "./handles.js";
import { FUNCTIONS, type Plan, type PlannedJob } from "./plan.js";
import type { End, Tally } from "./tally.js";
import * as work from "./work.js";

/** What has not settled after this time, in milliseconds, is lost. */
const DEADLINE = 180_000;

type Outcome = { readonly value: unknown } | { readonly error: unknown };

export async function fly(jobs: JobSystem, plan: Plan, tally: Tally): Promise<void> {
  const number = ++tally.graphs;
  const marks = shared(Int32Array, work.marksFor(plan.jobs.length));
  const handles = plan.jobs.map((planned) => submit(jobs, planned, marks));
  plan.jobs.forEach(({ place }, k) => {
    handles[k].after(...place.prerequisites.map((first) => handles[first]));
  });
  const outcomes: (Outcome | undefined)[] = handles.map(() => undefined);
  tally.submitted += handles.length;
  const settled = handles.map((job, k) =>
    job.then(
      (value) => {
        outcomes[k] = { value };
      },
      (error: unknown) => {
        outcomes[k] = { error };
      },
    ),
  );
  const abort =
    plan.abortAfter === undefined
      ? undefined
      : setTimeout(() => plan.abort.abort(new Error("aborted")), plan.abortAfter);
  await inTime(Promise.all([...settled, flyGroup(jobs, plan.members, `graph ${number}: `, tally)]));
  clearTimeout(abort);
  for (const [k, outcome] of outcomes.entries()) {
    check(
      { plan, marks, outcomes, index: k, name: `graph ${number}, job ${k} (${plan.jobs[k].kind})` },
      outcome,
      tally,
    );
  }
  const faults = marks[marks.length - 1];
  if (faults > 0)
    tally.wrong.push(`graph ${number}: ${faults} times a job started before one that it depends on ended`);
}

/** A group of jobs, each of which counts in a cell of its own. */
async function flyGroup(jobs: JobSystem, members: number, name: string, tally: Tally): Promise<void> {
  if (members === 0) return;
  const cells = shared(Int32Array, members);
  const group = jobs.group();
  for (let k = 0; k < members; k++) group.run(work.count, cells, k);
  tally.submitted++;
  let failure: unknown;
  const settled = group.then(
    () => true,
    (error: unknown) => {
      failure = error;
      return true;
    },
  );
  if (!(await inTime(settled))) tally.lost.push(`${name}its group`);
  else if (failure === undefined) tally.ends.done++;
  else if (failure instanceof WorkerCrashedError) tally.ends.crashed++;
  else tally.wrong.push(`${name}its group: ${failure}`);
  if (cells.some((runs) => runs > 1)) tally.doubled.push(`${name}jobs of its group: ${cells}`);
  if (failure === undefined && cells.some((runs) => runs === 0))
    tally.wrong.push(`${name}jobs of its group have not run`);
}

/** @returns what `promise` gives, or undefined after the deadline */
async function inTime<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, DEADLINE, undefined);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function submit(jobs: JobSystem, { kind, place, amount, options }: PlannedJob, marks: work.Marks): Job<unknown> {
  const fn: (marks: work.Marks, place: work.Place, amount: number) => unknown = FUNCTIONS[kind];
  const job = jobs.spawn(fn, marks, place, amount);
  // Most jobs have none: they are to take the short ways through the scheduler.
  return Object.keys(options).length === 0 ? job : job.with(options);
}

interface Flown {
  readonly plan: Plan;
  readonly marks: work.Marks;
  readonly outcomes: readonly (Outcome | undefined)[];
  readonly index: number;
  readonly name: string;
}

function check(flown: Flown, outcome: Outcome | undefined, tally: Tally): void {
  const { plan, marks, index, name } = flown;
  const { kind, place, amount, options } = plan.jobs[index];
  const runs = Atomics.load(marks, index);
  if (runs > 1 + (options.retries ?? 0)) tally.doubled.push(`${name} has started ${runs} times`);
  if (outcome === undefined) {
    tally.lost.push(`${name} has not settled after ${DEADLINE / 1000} s`);
  } else if ("value" in outcome) {
    tally.ends.done++;
    if (kind === "leaving") tally.left[HANDLE_KINDS[amount]]++;
    if (runs === 0) tally.wrong.push(`${name} is done and has not run`);
    if (!isDeepStrictEqual(outcome.value, work.resultOf(place))) tally.wrong.push(`${name} gave ${outcome.value}`);
    const first = place.prerequisites.find((prerequisite) => !fulfilled(flown, prerequisite));
    if (first !== undefined) tally.wrong.push(`${name} is done, and job ${first} before it is not`);
  } else {
    const end = endOf(flown, runs, outcome.error);
    if (end !== undefined) tally.ends[end]++;
    else tally.wrong.push(`${name} with ${JSON.stringify(options)} and ${runs} runs has failed with ${outcome.error}`);
  }
}

function fulfilled({ outcomes }: Flown, index: number): boolean {
  const outcome = outcomes[index];
  return outcome !== undefined && "value" in outcome;
}

/** @returns which end a failure is, or undefined if nothing explains it */
function endOf(flown: Flown, runs: number, error: unknown): End | undefined {
  const { kind, place, options } = flown.plan.jobs[flown.index];
  if (error instanceof DependencyFailedError) {
    const explained = runs === 0 && place.prerequisites.some((first) => !fulfilled(flown, first));
    return explained ? "dependency failed" : undefined;
  }
  if (error instanceof WorkerCrashedError) return options.on === "main" ? undefined : "crashed";
  if (error instanceof JobCancelledError) return options.signal?.aborted ? "cancelled" : undefined;
  if (error instanceof JobTimeoutError) return options.timeout === undefined ? undefined : "timed out";
  if (!(error instanceof JobFailedError)) return undefined;
  if (kind === "failing") return (error.cause as Error).message === work.MEANT ? "failed" : undefined;
  // A child whose worker has died.
  const hasChildren = kind === "parent" || kind === "awaitingParent" || kind === "groupParent";
  return hasChildren && (error.cause as Error).name === "WorkerCrashedError" ? "crashed" : undefined;
}
