/** Functions that come from another instance of their module, and who has which copy of heddle. */
import assert from "node:assert/strict";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { JobSystem, UnknownJobFunctionError } from "heddle";
import { HANGS } from "./support/hangs.js";
import { BUN, DENO } from "./support/runtime.js";
import { WORK } from "./support/systems.js";
import * as work from "./support/work.js";

const SERVE = new URL("./support/serve-work.js", import.meta.url);
/** Another instance of the module, as test runners and bundlers make it. */
const again: typeof work = await import(new URL("./support/work.js?again", import.meta.url).href);

const ONE_INSTANCE = { ...HANGS, skip: BUN && "Bun leaves out what follows ? in the URL of a file" };

test("a function of another instance of its module is refused with what to do", ONE_INSTANCE, async () => {
  const jobs = await JobSystem.create({ threads: 1, modules: [WORK] });
  assert.throws(
    () => jobs.run(again.add, 1, 2),
    (error: Error) => {
      assert.ok(error instanceof UnknownJobFunctionError);
      assert.ok(error.message.startsWith(`function "add" is not the one that ${WORK.href} exports`), error.message);
      assert.match(error.message, /modules: \[\[new URL\(.*\), work\]\]/);
      assert.match(error.message, /jobs\.load\(/);
      return true;
    },
  );
  await jobs.shutdown();
});

test("modules takes a module with its address: both instances are known", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 1, modules: [[WORK, again]] });
  assert.equal(await jobs.run(again.add, 1, 2), 3);
  assert.equal(await jobs.run(work.add, 3, 4), 7);
  assert.equal(await jobs.run(again.fib, 10), 55);
  // On the main thread, it is the caller's own that runs.
  assert.equal(await jobs.spawn(work.add, 5, 6).with({ on: "main" }), 11);
  await jobs.shutdown();
});

test("a mock in the module's place is known; on the main thread it is what runs", HANGS, async () => {
  const add = () => -1;
  const jobs = await JobSystem.create({ threads: 1, modules: [[WORK, { ...work, add }]] });
  assert.equal(await jobs.run(add as typeof work.add, 1, 2), 3);
  assert.equal(await jobs.spawn(add as typeof work.add, 1, 2).with({ on: "main" }), -1);
  await jobs.shutdown();
});

test("load gives the module as heddle has it", HANGS, async () => {
  const jobs = await JobSystem.create({ threads: 1, modules: [WORK] });
  const loaded = await jobs.load<typeof work>(WORK);
  assert.equal(await jobs.run(loaded.add, 1, 2), 3);
  assert.equal(await jobs.load(WORK.href), loaded);
  await assert.rejects(
    jobs.load(SERVE),
    /url is .*serve-work\.js, which is none of this system's modules \(.*\/work\.js\)/,
  );
  await assert.rejects(jobs.load("./work.js"), /relative path/);
  await jobs.shutdown();
});

test("modules without addresses: threads are given them by a program of the user's", HANGS, async () => {
  const worker = (options: object) => new Worker(SERVE, options);
  const jobs = await JobSystem.create({ threads: 2, modules: [again], worker });
  assert.equal(await jobs.run(again.fib, 12), 144);
  await assert.rejects(async () => await jobs.run(again.boom, "bad"), /bad/);
  await jobs.shutdown();
  await assert.rejects(
    JobSystem.create({ threads: 1, modules: [again, work], worker }),
    /given 2 modules without their addresses, and serve\(\) 1/,
  );
});

test("wrong modules, workers and options of threads are refused by name", HANGS, async () => {
  const evaluated = (program: string) => () => new Worker(program, { eval: true });
  for (const [options, message] of [
    [{ modules: [work] }, /modules\[0\] is an object without an address/],
    [{ modules: [[WORK]] }, /modules\[0\] must be a pair/],
    [{ modules: [[WORK, 5]] }, /modules\[0\] must be a pair/],
    [{ modules: [["./work.js", work]] }, /modules\[0\]\[0\] is the relative path/],
    [{ modules: ["heddle"] }, /import\.meta\.resolve\("heddle"\)/],
    [{ modules: [WORK], worker: "x" }, /worker must be a function/],
    [{ modules: [WORK], worker: () => 5 }, /worker must return a Worker/],
    [{ modules: [WORK], worker: evaluated("1") }, /must call serve\(\) of heddle\/worker/],
    [{ modules: [WORK], worker: () => new Worker(SERVE) }, /serve\(\) works only on a thread that a JobSystem/],
    [{ modules: [WORK], execArgv: "--x" }, /execArgv must be an array/],
    [{ modules: [WORK], env: 5 }, /env must be an object/],
    [{ modules: [WORK], name: "" }, /name must be a text/],
  ] as const) {
    await assert.rejects(JobSystem.create({ threads: 1, ...options } as never), message);
  }
});

test("threads are given options of Node's, an environment and a name", HANGS, async () => {
  const jobs = await JobSystem.create({
    threads: 1,
    modules: [WORK],
    execArgv: ["--no-warnings", "--title=loom"],
    env: { LOOM: "yes" },
    name: "loom",
  }).catch((error: Error) => error);
  // Node refuses options of the process; Bun refuses none.
  if (BUN) await (jobs as JobSystem).shutdown();
  else assert.ok(jobs instanceof Error && /--title=loom/.test(jobs.message), String(jobs));
  const given = await JobSystem.create({
    threads: 1,
    modules: [WORK],
    execArgv: ["--no-warnings"],
    env: { LOOM: "yes" },
    name: "loom",
  });
  const [execArgv, loom, name] = await given.run(work.surroundings);
  assert.deepEqual([execArgv, loom], [["--no-warnings"], "yes"]);
  // Older versions do not tell, and Deno tells nothing.
  if (name !== undefined && !DENO) assert.equal(name, "loom 1");
  await given.shutdown();
});
