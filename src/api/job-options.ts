/** What `Job.with` is given, checked. */
import { LONGEST_LIMIT } from "../memory/layout.js";
import { checkSignal, checkWhole } from "./options.js";

/** Options of one job: see `Job.with`. */
export interface JobOptions {
  /**
   * Cancels the job when it is aborted: if it has not started it never will; if it has, it is asked to stop (see `isCancelled`
   * and `signal` in "heddle/job").
   */
  signal?: AbortSignal;
  /**
   * How long the job may run, in milliseconds from its start, 1 to 2^30; a fraction counts as a whole one. An
   * asynchronous job runs until its promise settles.
   */
  timeout?: number;
  /**
   * Whether to end the job's worker when its time is over, or its signal is aborted while it runs, as its function would else run
   * on; needs a `timeout` or a `signal`.
   */
  kill?: boolean;
  /** What to call the job in place of its function's name, 1 to 1000 characters. */
  name?: string;
  /** Ready jobs with a higher priority start first; by default "normal". */
  priority?: "high" | "normal" | "low";
  /** Where the job has to run: on the thread that created the system. */
  on?: "main";
  /** How often the job may be run again after its worker has crashed, 0 (the default) to 1000. */
  retries?: number;
}

const KNOWN = ["signal", "timeout", "kill", "name", "priority", "on", "retries"];
const LONGEST_NAME = 1000;
const MOST_RETRIES = 1000;

/** Checks the options of a job. @throws TypeError, RangeError naming the option, what was wrong and what to do */
export function checkJobOptions(options: JobOptions): JobOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`with needs options such as { timeout: 1000 }, not ${kindOf(options)}`);
  }
  for (const key of Object.keys(options)) {
    if (!KNOWN.includes(key)) throw new TypeError(`a job has no option "${key}"; it has ${KNOWN.join(", ")}`);
  }
  // Read once: getters may give something else each time.
  const { signal, timeout, kill, name, priority, on, retries } = options;
  if (signal !== undefined) checkSignal(signal);
  if (timeout !== undefined) checkTimeout(timeout);
  if (kill !== undefined && typeof kill !== "boolean") {
    throw new TypeError(`kill must be true or false, not ${kindOf(kill)}`);
  }
  if (name !== undefined) checkName(name);
  if (priority !== undefined && priority !== "high" && priority !== "normal" && priority !== "low") {
    throw new TypeError(`priority must be "high", "normal" or "low", not ${quoted(priority)}`);
  }
  if (on !== undefined && on !== "main") throw new TypeError(`on must be "main", not ${quoted(on)}`);
  if (retries !== undefined) checkWhole("retries", retries, 0, MOST_RETRIES);
  return { signal, timeout, kill, name, priority, on, retries };
}

function checkTimeout(timeout: unknown): void {
  if (typeof timeout !== "number") {
    throw new TypeError(`timeout must be a number of milliseconds, not ${kindOf(timeout)}`);
  }
  if (!(timeout >= 1 && timeout <= LONGEST_LIMIT)) {
    throw new RangeError(`timeout must be from 1 to ${LONGEST_LIMIT} milliseconds, not ${timeout}`);
  }
}

function checkName(name: unknown): void {
  if (typeof name !== "string") throw new TypeError(`name must be a string, not ${kindOf(name)}`);
  if (name.length === 0 || name.length > LONGEST_NAME) {
    throw new RangeError(`name must have 1 to ${LONGEST_NAME} characters, not ${name.length}`);
  }
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}

function quoted(value: unknown): string {
  return typeof value === "string" ? `"${value}"` : kindOf(value);
}
