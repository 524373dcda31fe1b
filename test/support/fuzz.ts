/** What the tests with odd input have in common. */
import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import * as heddle from "heddle";
import { HANGS } from "./hangs.js";
import { ODD_NAMES, PLACE_NAMES } from "./odd.js";
import * as work from "./odd-work.js";

export const ODD_WORK = new URL("./odd-work.js", import.meta.url);

/** The runner cannot end a test that blocks its thread, so another thread does. */
const watchdog = new Worker(
  `setTimeout(() => {
    require("node:fs").writeSync(2, "these tests hang");
    process.kill(process.pid, "SIGKILL");
  }, ${HANGS.timeout})`,
  { eval: true },
);
watchdog.unref();

/** The same values in every run; fast-check prints the seed of what fails. */
const SEED = 20_260_601;

export async function check(property: fc.IRawProperty<unknown>, numRuns: number): Promise<void> {
  await fc.assert(property as fc.IAsyncProperty<unknown>, { seed: SEED, numRuns, includeErrorInReport: true });
}

export const anyOdd = fc.constantFrom(...ODD_NAMES);
export const anyPlaces = fc.array(fc.constantFrom(...PLACE_NAMES), { maxLength: 3 });

/** Runs `body` with a system of its own, which is shut down afterwards. */
export async function withOddSystem(
  options: Omit<heddle.JobSystemOptions, "modules">,
  body: (jobs: heddle.JobSystem) => Promise<void> | void,
): Promise<void> {
  const jobs = await heddle.JobSystem.create({ ...options, modules: [ODD_WORK] });
  try {
    await body(jobs);
  } finally {
    await jobs.shutdown();
  }
}

/** The system still runs jobs and graphs. */
export async function stillWorks(jobs: heddle.JobSystem): Promise<void> {
  assert.equal(await jobs.run(work.add, 1, 2), 3);
  const first = jobs.spawn(work.add, 1, 1);
  const left = jobs.spawn(work.add, 2, 2).after(first);
  const right = jobs.spawn(work.add, 3, 3).after(first);
  const last = jobs.spawn(work.add, 4, 4).after(left, right);
  assert.equal(await last, 8);
  assert.deepEqual(await Promise.all([first, left, right]), [2, 4, 6]);
  const group = jobs.group();
  for (let k = 0; k < 5; k++) group.run(work.nothing);
  await group;
}

const DOCUMENTED = Object.values(heddle).filter(
  (value) => typeof value === "function" && value.prototype instanceof Error,
) as unknown as readonly (abstract new () => Error)[];

/** Messages of the runtime that tell a caller nothing of what he has done. */
const UNHELPFUL = /^(Cannot|Invalid|Array buffer)|^[^"]*is not (a constructor|iterable|a function)/;

/** An error for a caller: of a documented kind, and saying something. */
export function assertHelpful(error: unknown): asserts error is Error {
  assert.ok(error instanceof Error, `thrown: ${typeof error}`);
  const expected =
    DOCUMENTED.some((type) => error instanceof type) ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    (error instanceof DOMException && error.name === "DataCloneError");
  assert.ok(expected, `${error.name}: ${error.message}`);
  assert.ok(error.message.length > 10, error.message);
  assert.doesNotMatch(error.message, UNHELPFUL);
}
