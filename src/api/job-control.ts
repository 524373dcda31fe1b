/** Gives a job its options. */
import {
  AWAITED,
  C_KILL,
  C_LIMIT,
  C_NAME,
  C_RETRIES,
  F_CONTROLLED,
  F_HIGH,
  F_LOW,
  F_MAIN,
  H_PRIORITIES,
  HAD_MAIN,
  HAD_PRIORITY,
  S_CONTINUATIONS,
  S_FUNCTION,
  SLOT_LOG,
} from "../memory/layout.js";
import { type Context, MAIN } from "../scheduler/context.js";
import { controlOf, limit, openControl } from "../scheduler/control.js";
import { isUnscheduled } from "../scheduler/graph.js";
import { storeString } from "../values/strings.js";
import type { Engine } from "./engine.js";
import { ArenaFullError, JobAlreadyScheduledError } from "./errors.js";
import type { Job } from "./job.js";
import { checkJobOptions, type JobOptions } from "./job-options.js";
import { PENDING } from "./outcomes.js";

/** @throws TypeError, RangeError, JobAlreadyScheduledError, ArenaFullError, ShutdownError; then the job is as it was */
export function setOptions(engine: Engine, job: Job<unknown>, options: JobOptions): void {
  engine.checkOpen();
  const checked = checkJobOptions(options);
  const { context } = engine;
  checkOwn(context, job);
  const word = (job._slot << SLOT_LOG) + S_FUNCTION;
  checkTogether(job, checked, {
    limited: wordOf(context, job, C_LIMIT) > 0,
    killed: wordOf(context, job, C_KILL) !== 0,
    watched: engine.cancellations.watches(job._slot),
    onMain: (context.memory.i32[word] & F_MAIN) !== 0,
  });
  const before = context.enter();
  try {
    write(engine, job, checked);
  } finally {
    context.leave(before);
  }
}

/** @throws ArenaFullError */
function write(engine: Engine, job: Job<unknown>, checked: JobOptions): void {
  const { context } = engine;
  const word = (job._slot << SLOT_LOG) + S_FUNCTION;
  const { signal, timeout, kill, name, priority, on, retries } = checked;
  if ((signal ?? timeout ?? kill ?? name ?? retries) !== undefined) {
    const control = openControl(context, job._slot);
    if (control === 0) throw noRoom(job);
    if (name !== undefined) rename(context, control, job, name);
    if (retries !== undefined) context.memory.i32[control + C_RETRIES] = retries;
    if (kill !== undefined) context.memory.i32[control + C_KILL] = kill ? 1 : 0;
    if (timeout !== undefined) limit(context, control, Math.ceil(timeout));
    if (timeout !== undefined) engine.onLimit();
    if (signal !== undefined) engine.cancellations.watch(job._slot, signal);
  }
  const { i32 } = context.memory;
  if (priority !== undefined) i32[word] = (i32[word] & ~(F_HIGH | F_LOW)) | flagOf(priority);
  if (on !== undefined) {
    i32[word] |= F_MAIN;
    if (context.me === MAIN) engine.contexts.keep(job._slot);
  }
  const kinds = (priority === "high" || priority === "low" ? HAD_PRIORITY : 0) | (on === undefined ? 0 : HAD_MAIN);
  // Races with other threads that set the other bit. Before the job is scheduled: whoever makes it ready sees it.
  if ((i32[H_PRIORITIES] & kinds) !== kinds) Atomics.or(i32, H_PRIORITIES, kinds);
}

function flagOf(priority: "high" | "normal" | "low"): number {
  if (priority === "normal") return 0;
  return priority === "high" ? F_HIGH : F_LOW;
}

/** @throws TypeError, JobAlreadyScheduledError unless nobody but this thread knows of the job, which is unscheduled */
function checkOwn(context: Context, job: Job<unknown>): void {
  if (job._isForeign()) {
    throw new TypeError(
      `job "${job.name}" was spawned on another thread; give it its options there, before its handle goes elsewhere`,
    );
  }
  if (job._state !== PENDING || !isUnscheduled(context, job._slot)) throw new JobAlreadyScheduledError(job.name);
  // Set for an unscheduled job only when its handle was sent: another thread may schedule it at any time.
  if (context.memory.i32[(job._slot << SLOT_LOG) + S_CONTINUATIONS] & AWAITED) {
    throw new TypeError(
      `the handle of job "${job.name}" was given to another thread, which may schedule it; give it its options before`,
    );
  }
}

/** What a job has of earlier options: a time limit, `kill`, a signal, a place. */
interface Earlier {
  readonly limited: boolean;
  readonly killed: boolean;
  readonly watched: boolean;
  readonly onMain: boolean;
}

/** @throws TypeError where options contradict each other, or those that the job has */
function checkTogether(job: Job<unknown>, { signal, timeout, kill, on }: JobOptions, earlier: Earlier): void {
  const limited = timeout !== undefined || earlier.limited;
  if (kill === true && !limited && signal === undefined && !earlier.watched) {
    throw new TypeError(
      `kill needs a timeout or a signal: give job "${job.name}" one of them as well, such as { timeout: 1000, kill: true }`,
    );
  }
  if (on !== "main" && !earlier.onMain) return;
  if (limited) {
    throw new TypeError(
      `timeout and on: "main" exclude each other, as the main thread is the one that watches the time; give job "${job.name}" one of them`,
    );
  }
  if (kill ?? earlier.killed) {
    throw new TypeError(
      `kill and on: "main" exclude each other, as only a worker can be ended; give job "${job.name}" one of them`,
    );
  }
}

/** A word of the job's control record, or 0 if it has none. */
function wordOf(context: Context, job: Job<unknown>, word: number): number {
  // Else what is in the record is of another job, which had the slot before.
  if ((context.memory.i32[(job._slot << SLOT_LOG) + S_FUNCTION] & F_CONTROLLED) === 0) return 0;
  const control = controlOf(context, job._slot);
  return context.memory.i32[control + word];
}

/** @throws ArenaFullError */
function rename(context: Context, control: number, job: Job<unknown>, name: string): void {
  const { payloads } = context;
  const block = storeString(payloads, name);
  if (block === 0) throw noRoom(job);
  const { i32 } = context.memory;
  if (i32[control + C_NAME] !== 0) payloads.free(Math.abs(i32[control + C_NAME]));
  i32[control + C_NAME] = block;
  job._rename(name);
}

function noRoom(job: Job<unknown>): ArenaFullError {
  return new ArenaFullError(`shared memory has no room for options of job "${job.name}"; wait for jobs to finish`);
}
