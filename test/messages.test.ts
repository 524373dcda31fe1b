/** What the user's code on workers and the main thread tell each other is none of heddle's business, and the other way round. */
import assert from "node:assert/strict";
import test from "node:test";
import { setEnvironmentData } from "node:worker_threads";
import { JobSystem, WorkerCrashedError } from "heddle";
import { HANGS, until } from "./support/hangs.js";
import * as work from "./support/message-work.js";
import { runModule } from "./support/programs.js";
import { BUN, DENO } from "./support/runtime.js";

const WORK = new URL("./support/message-work.js", import.meta.url);

/** Among them, all that heddle's own parts tell each other. */
const VALUES = [
  { progress: 50 },
  null,
  undefined,
  0,
  "stopped",
  [],
  { type: "ready" },
  { type: "stopped" },
  { type: "refused", error: new Error("no") },
  { type: "printed", printed: { stream: "stdout", pieces: [] } },
  { type: "printed" },
  { type: "unobserved", failure: new Uint8Array(3) },
  { type: "loading", module: "none" },
  { type: "aborted", slot: 1, state: 2 },
  { successor: 1 },
];

async function create(threads: number) {
  const jobs = await JobSystem.create({ threads, modules: [WORK] });
  const errors: Error[] = [];
  const messages: [value: unknown, thread: number][] = [];
  jobs.on("error", (error) => errors.push(error));
  return { jobs, errors, messages };
}

test("what jobs send with parentPort comes as messages, whatever it is", HANGS, async () => {
  const { jobs, errors, messages } = await create(1);
  jobs.on("message", (value, thread) => messages.push([value, thread]));
  for (const value of VALUES) assert.equal(await jobs.run(work.send, value), "sent");
  await until(() => messages.length === VALUES.length);
  assert.deepEqual(
    messages,
    VALUES.map((value) => [value, 1]),
  );
  // A death is noticed all the same.
  await assert.rejects(async () => await jobs.run(work.exit, 3), WorkerCrashedError);
  assert.equal(await jobs.run(work.send, "of the next worker"), "sent");
  await until(() => messages.length > VALUES.length);
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});

test("where nobody listens, they are ignored", HANGS, async () => {
  const { jobs, errors } = await create(2);
  for (const value of VALUES) assert.equal(await jobs.run(work.send, value), "sent");
  for (let k = 0; k < 3; k++) {
    await assert.rejects(async () => await jobs.run(work.exit, 3), WorkerCrashedError);
    assert.equal(await jobs.run(work.add, 1, 2), 3);
  }
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});

const NO_LISTENER = { ...HANGS, skip: DENO && "Deno's parentPort cannot remove all its listeners" };

test("they do not end the process, with no listener of any kind", NO_LISTENER, () => {
  const program = `
    import { JobSystem } from ${JSON.stringify(import.meta.resolve("heddle"))};
    import * as work from ${JSON.stringify(WORK.href)};
    const jobs = await JobSystem.create({ threads: 1, modules: [${JSON.stringify(WORK.href)}] });
    for (const value of [null, { progress: 50 }, { type: "stopped" }]) await jobs.run(work.send, value);
    await jobs.run(work.misuse);
    console.log(await jobs.run(work.add, 1, 2));
    await jobs.shutdown();
  `;
  const run = runModule(program);
  assert.deepEqual([run.stdout, run.stderr, run.status], ["3\n", "", 0]);
});

test("what a module sends while it is loaded is heard by who listens once the system is there", HANGS, async () => {
  process.env[work.EARLY] = "early";
  try {
    const { jobs, messages } = await create(2);
    jobs.on("message", (value, thread) => messages.push([value, thread]));
    await until(() => messages.length === 4);
    const early = messages.filter(([value]) => value === "early").map(([, thread]) => thread);
    assert.deepEqual(early.sort(), [1, 2]);
    assert.equal(await jobs.run(work.add, 1, 2), 3);
    await jobs.shutdown();
  } finally {
    delete process.env[work.EARLY];
  }
});

const THEIRS = { ...HANGS, skip: (BUN || DENO) && "Bun and Deno do not let workerData be changed" };

test("workerData, environment data and parentPort are the user's", THEIRS, async () => {
  setEnvironmentData("of the user", 7);
  const { jobs, errors } = await create(2);
  assert.deepEqual(await jobs.run(work.given), [undefined, undefined, 7]);
  for (let k = 0; k < 10; k++) await jobs.run(work.misuse);
  const sums = Array.from({ length: 100 }, (_, k) => jobs.run(work.add, k, 1));
  assert.equal((await Promise.all(sums)).length, 100);
  await assert.rejects(async () => await jobs.run(work.exit, 3), WorkerCrashedError);
  assert.deepEqual(await jobs.run(work.given), [undefined, undefined, 7]);
  await jobs.shutdown();
  assert.deepEqual(errors, []);
});
