/** Whether what became of a graph is explained by what its jobs are and what was done to their workers. */
import { isDeepStrictEqual } from "node:util";
import { DependencyFailedError, JobCancelledError, JobFailedError, JobTimeoutError, WorkerCrashedError } from "heddle";
import type { Faults } from "./faults.js";
import type { Execution, Notes } from "./notes.js";
import { type Plan, type PlannedJob, resultOf } from "./plan.js";
import type { End, Tally } from "./tally.js";
import { MEANT } from "./work.js";

export type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** What an attempt has failed with that its worker's stop has cut off. */
const STOPPED = "its worker was stopped before it had finished";

export interface Flown {
  readonly plan: Plan;
  /** By job; undefined: it has not got any. */
  readonly outcomes: readonly (Outcome | undefined)[];
  /** Whether somebody has asked for the run to be cancelled. */
  readonly cancelled: boolean;
}

export function checkOutcomes(flown: Flown, notes: Notes, kills: Faults, tally: Tally): void {
  for (const [job, outcome] of flown.outcomes.entries()) {
    if (outcome === undefined) {
      tally.note("lost", `${nameOf(flown.plan, job)} has no outcome, and its run has ended`);
    } else if ("value" in outcome) {
      tally.ends.done++;
      checkResult(flown, job, outcome.value, notes, tally);
    } else {
      const executions = notes.of(flown.plan.graph, job);
      const end = endOf(flown, job, outcome.error, executions, kills);
      if (end === undefined) {
        tally.note("wrong", `${nameOf(flown.plan, job)} ${tried(executions)} failed with ${textOf(outcome.error)}`);
      } else {
        tally.ends[end]++;
        if (end === "worker lost" && isInnocent(flown.plan.jobs[job])) {
          tally.note("innocent", `${nameOf(flown.plan, job)} ${tried(executions)}: ${textOf(outcome.error)}`);
        }
      }
    }
  }
}

function checkResult(flown: Flown, job: number, value: unknown, notes: Notes, tally: Tally): void {
  const { plan } = flown;
  const planned = plan.jobs[job];
  const name = nameOf(plan, job);
  tally.bytes += planned.place.bytes;
  const executions = notes.of(plan.graph, job);
  const ended = executions.some(({ ended, threw }) => ended !== undefined && !threw);
  if (!ended) tally.note("wrong", `${name} is done, and no execution of it has ended`);
  if (!isDeepStrictEqual(value, resultOf(planned))) tally.note("wrong", `${name} gave ${textOf(value)}`);
  for (const first of [...planned.inputs, ...planned.after]) {
    if (!isDone(flown, first)) tally.note("wrong", `${name} is done, and job ${first} before it is not`);
  }
}

function isDone({ outcomes }: Flown, job: number): boolean {
  const outcome = outcomes[job];
  return outcome !== undefined && "value" in outcome;
}

function isInnocent({ kind, options }: PlannedJob): boolean {
  return kind !== "poison" && options.retries > 0;
}

/** @returns which end a failure is, or undefined if nothing explains it */
function endOf(
  flown: Flown,
  job: number,
  error: unknown,
  executions: readonly Execution[],
  kills: Faults,
): End | undefined {
  const { kind, inputs, after, options, place } = flown.plan.jobs[job];
  if (error instanceof DependencyFailedError) {
    const explained = executions.length === 0 && [...inputs, ...after].some((first) => !isDone(flown, first));
    return explained ? "dependency failed" : undefined;
  }
  if (error instanceof JobCancelledError) return flown.cancelled ? "cancelled" : undefined;
  if (error instanceof JobTimeoutError) return options.timeout === undefined ? undefined : "timed out";
  if (error instanceof WorkerCrashedError) {
    const explained = executions.some(({ worker, begun }) => kills.between(worker, begun, Number.POSITIVE_INFINITY));
    return explained ? "worker lost" : undefined;
  }
  if (!(error instanceof JobFailedError)) return undefined;
  const cause = error.cause as Error;
  // What comes out of the database is an Error with its name.
  if (cause.name === "WorkerLostError" || cause.message === STOPPED) return "worker lost";
  if (cause.message !== MEANT) return undefined;
  return kind === "failing" || place.throws > 0 ? "failed" : undefined;
}

/** Executions: whether each but a job's first is explained, and each began after an end of all that it depends on. */
export function checkExecutions(plan: Plan, notes: Notes, faults: readonly Faults[], tally: Tally): void {
  for (const [job, planned] of plan.jobs.entries()) {
    const executions = notes.of(plan.graph, job);
    const name = nameOf(plan, job);
    if (executions.length > 1 && planned.options.retries === 0) {
      tally.note("doubled", `${name} ${tried(executions)}, and it may be tried once`);
    }
    const own = executions.filter((each, k) => isAttempt(planned, each, executions[k + 1], faults)).length;
    if (own > planned.options.retries + 1) tally.note("doubled", `${name} ${tried(executions)}, and failed by itself`);
    for (const [k, execution] of executions.slice(0, -1).entries()) {
      if (!isExplained(planned, execution, executions[k + 1], faults)) {
        tally.note("doubled", `${name} ${tried(executions)}, and nothing explains why it began again after ${k + 1}`);
      }
    }
    for (const first of [...planned.inputs, ...planned.after]) {
      const ends = notes
        .of(plan.graph, first)
        .flatMap(({ ended, threw }) => (threw || ended === undefined ? [] : [ended]));
      const ended = Math.min(...ends);
      if (executions.length > 0 && executions[0].begun < ended) {
        tally.note("wrong", `${name} began before job ${first}, on which it depends, had ended`);
      }
    }
  }
}

/** Whether an execution has failed by itself, and this was surely written down: nothing was done to its worker before the next began. */
function isAttempt(
  { kind }: PlannedJob,
  { worker, begun, threw }: Execution,
  next: Execution | undefined,
  faults: readonly Faults[],
): boolean {
  if (kind === "poison") return true;
  return threw === true && !(next !== undefined && faults.some((each) => each.between(worker, begun, next.begun)));
}

/** Whether a job may begin again after this execution. */
function isExplained(planned: PlannedJob, execution: Execution, next: Execution, faults: readonly Faults[]): boolean {
  const { kind, options, place } = planned;
  if (execution.threw || kind === "poison") return true;
  // It ran into its limit.
  const lasted = (execution.ended ?? next.begun) - execution.begun;
  if (options.timeout !== undefined && place.amount > options.timeout && lasted >= options.timeout) return true;
  return faults.some((each) => each.between(execution.worker, execution.begun, next.begun));
}

function nameOf({ graph, jobs }: Plan, job: number): string {
  const { kind, options, inputs } = jobs[job];
  return `graph ${graph}, job ${job} (${kind}, retries ${options.retries}, ${inputs.length} inputs)`;
}

function tried(executions: readonly Execution[]): string {
  if (executions.length === 0) return "has not begun";
  const first = executions[0].begun;
  const at = (time: number) => `${((time - first) / 1000).toFixed(1)} s`;
  const each = executions.map(
    ({ worker, begun, ended, threw }) =>
      `${worker} at ${at(begun)} ${ended === undefined ? "without an end" : `${threw ? "threw" : "ended"} at ${at(ended)}`}`,
  );
  return `began ${executions.length} times (${each.join("; ")})`;
}

function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (!(value instanceof Error)) return String(value);
  return `${value.name}: ${value.message}${value.cause === undefined ? "" : `, caused by ${textOf(value.cause)}`}`;
}
