/** Workers that cannot start, or never get ready: `create` ends, nothing is left behind; later ones are deaths like others. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { getEventListeners } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { JobSystem, type JobSystemOptions, ShutdownError, WorkerCrashedError } from "heddle";
import { HANGS, PATIENCE, settled, until } from "./support/hangs.js";
import { bound, LONG } from "./support/long.js";
import { BUN, DENO } from "./support/runtime.js";
import * as work from "./support/starting-work.js";

const WORK = new URL("./support/starting-work.js", import.meta.url);
const NEVER_LOADED = new URL("./support/never-loaded.js", import.meta.url);
const PROGRAM = fileURLToPath(new URL("./support/starting-program.js", import.meta.url));

/** The worker threads of this process that live. */
const living = new Set<Worker>();
process.on("worker", (worker) => {
  living.add(worker);
  worker.on("exit", () => living.delete(worker));
});

/** Deno does not tell the end of a thread that is terminated while it ends by itself. */
function assertNoneLives(): void {
  if (DENO) living.clear();
  assert.equal(living.size, 0);
}

function create(options: Partial<JobSystemOptions>): Promise<JobSystem> {
  return settled(JobSystem.create({ threads: 2, modules: [WORK], ...options }), "create");
}

/** A system with as short a limit for later starts as its first worker was fast enough for. */
async function createQuickly(startTimeout = 200): Promise<JobSystem> {
  const jobs = await create({ threads: 1, startTimeout }).catch(() => undefined);
  return jobs ?? createQuickly(2 * startTimeout);
}

/** Has workers start in a certain way while `body` runs. */
async function starting(how: string, body: () => Promise<void>): Promise<void> {
  process.env[work.HOW] = how;
  try {
    await body();
  } finally {
    delete process.env[work.HOW];
  }
}

for (const how of ["wait", "loop"]) {
  test(`workers that ${how} while a module is loaded: create rejects when their time is over`, HANGS, async () => {
    await starting(how, async () => {
      let message = "";
      // On a busy machine a worker may have got no further than its own beginning.
      for (let startTimeout = 300; !message.includes("it was loading"); startTimeout *= 2) {
        await assert.rejects(create({ startTimeout }), (error: Error) => {
          message = error.message;
          assert.ok(message.startsWith(`a worker was not ready after ${startTimeout} ms`), message);
          return /give JobSystem.create a larger startTimeout/.test(message);
        });
      }
      assert.match(message, /: it was loading \S*starting-work.js, which may loop/);
      assertNoneLives();
    });
  });
}

test("workers that end while a module is loaded, or throw and have something open: create says so", HANGS, async () => {
  const cases = [
    // Deno does not notice that nothing can come any more.
    ...(DENO
      ? []
      : [["wait for nothing", /ended with code \d+ before it was ready: it was loading \S*starting-work.js/] as const]),
    ["exit", /ended with code 9 before it was ready: it was loading/],
    ["throw", /^RangeError: not today$/],
  ] as const;
  for (const [how, expected] of cases) {
    await starting(how, async () => {
      await assert.rejects(create({}), expected);
      assertNoneLives();
    });
  }
});

const NEVER = { ...HANGS, skip: DENO && "the runner of Deno's tests ends when a module is never loaded" };

test("a module that is never loaded on the main thread", NEVER, async () => {
  const options = { modules: [WORK, NEVER_LOADED], startTimeout: 50 };
  await assert.rejects(create(options), /never-loaded.js was not loaded after 50 ms/);
});

test("signal: create rejects with the reason, and leaves no thread and no listener", HANGS, async () => {
  const listeners = (signal: AbortSignal) => getEventListeners(signal, "abort").length;
  const early = AbortSignal.abort("too early");
  await assert.rejects(create({ signal: early }), (reason) => reason === "too early");
  for (const options of [...(DENO ? [] : [{ modules: [NEVER_LOADED] }]), {}]) {
    await starting("loop", async () => {
      const stop = new AbortController();
      const created = create({ ...options, signal: stop.signal });
      if (!("modules" in options)) await until(() => living.size === 2);
      stop.abort(new RangeError("stop it"));
      await assert.rejects(created, /^RangeError: stop it$/);
      assert.equal(listeners(stop.signal), 0);
      assertNoneLives();
    });
  }
  // After that, it has no meaning.
  const { signal } = new AbortController();
  const jobs = await create({ signal });
  assert.equal(listeners(signal), 0);
  assert.equal(await jobs.run(work.add, 1, 2), 3);
  await jobs.shutdown();
});

test("options of the start are checked", HANGS, async () => {
  for (const startTimeout of [0, -1, 1.5, Number.NaN, "1", null, 2 ** 31]) {
    await assert.rejects(
      create({ startTimeout: startTimeout as number }),
      /^(Type|Range)Error: startTimeout must be a/,
    );
  }
  for (const signal of [null, 1, {}]) {
    await assert.rejects(create({ signal: signal as AbortSignal }), /^TypeError: signal must be an AbortSignal/);
  }
});

/** While the main thread waits, Bun and Deno notice only by the limit that a module waits for what cannot come. */
const ENDS = ["throw", BUN || DENO ? "loop" : "wait for nothing"];
for (const [k, how] of bound(ENDS, [...new Set([...ENDS, "loop", "wait for nothing", "exit", "wait"])]).entries()) {
  test(`later workers that ${how}: given up after ten; queued jobs, waits and shutdowns end`, HANGS, async () => {
    for (const wait of LONG ? [true, false] : [k % 2 === 0]) {
      const jobs = how === "loop" || how === "wait" ? await createQuickly() : await create({ threads: 1 });
      const errors: Error[] = [];
      jobs.on("error", (error) => errors.push(error));
      await starting(how, async () => {
        const exits = jobs.run(work.exit).then(undefined, (error: unknown) => error);
        const queued = jobs.run(work.add, 1, 2);
        const outcome = queued.then(undefined, (error: unknown) => error);
        if (wait) assert.throws(() => queued.wait(), ShutdownError);
        assert.ok((await settled(outcome, "the queued job")) instanceof ShutdownError);
        assert.ok((await exits) instanceof WorkerCrashedError);
        await settled(Promise.all([jobs.shutdown(), jobs.shutdown({ force: true })]), "the shutdowns");
        assert.match(errors.at(-1)?.message ?? "", /that was 10 times/);
        assertNoneLives();
      });
    }
  });
}

/** A program may fail, but must end by itself. */
function linesOf(program: string): string[] {
  const run = spawnSync(process.execPath, [PROGRAM, program], { encoding: "utf8", timeout: PATIENCE });
  assert.equal(run.signal, null, "it did not end");
  assert.equal(run.stderr, "");
  assert.equal(run.status, 0);
  return run.stdout.split("\n").slice(0, -1);
}

const PATCHED = { ...HANGS, skip: (BUN || DENO) && "the modules of Bun and Deno cannot be patched" };

test("a thread that Node cannot start: create rejects and the process ends", PATCHED, () => {
  assert.deepEqual(linesOf("first"), ["Error: no more threads", "0 living"]);
  assert.deepEqual(linesOf("third"), ["Error: no more threads", "0 living"]);
});

test("a later thread that Node cannot start: another try, and after ten of them everything fails", PATCHED, () => {
  assert.deepEqual(linesOf("replacement"), ["3", "0 living"]);
  assert.deepEqual(linesOf("replacements"), ["ShutdownError", "that was 10 times", "ShutdownError", "0 living"]);
});
