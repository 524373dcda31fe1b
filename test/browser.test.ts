/** heddle in a browser, as it is installed: on a page, on its workers, and on a page that is not isolated. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Page } from "playwright-core";
import { NO_CHROMIUM, type PageOptions, Pages } from "./support/chromium.js";
import { HANGS, until } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";

/** Of a test that takes some seconds, most of which Chromium needs to end threads that loop. */
const SLOW = { ...HANGS, ...ONLY_LONG };

const pages = new Pages();

/** Runs one of test/browser/scenarios.js, which is given `bound`. */
function on(page: Page, scenario: string, bound?: number): Promise<unknown> {
  return page.evaluate(async ({ scenario, bound }) => (await import("/scenarios.js" as string))[scenario](bound), {
    scenario,
    bound,
  });
}

/** Runs a scenario on a page of its own. */
async function run(scenario: string, { bound, ...options }: PageOptions & { bound?: number } = {}): Promise<unknown> {
  const page = await pages.page(options);
  try {
    return await on(page, scenario, bound);
  } finally {
    await page.close();
  }
}

/** Pages at once: much of the time, Chromium takes to end threads that loop. */
const AT_ONCE = 3;

describe("in Chromium", { skip: NO_CHROMIUM, concurrency: AT_ONCE }, () => {
  before(() => pages.open());
  after(() => pages.close());

  test("jobs run, link and wait for jobs, and fail", HANGS, async () => {
    assert.deepEqual(await run("results"), [3, 7, 3, 'JobFailedError: job "fail" failed: bad']);
  });

  test("on the page, what would block is refused, and what is known already is not", HANGS, async () => {
    const [done, ...refused] = (await run("waits")) as string[];
    assert.equal(done, 3);
    assert.equal(refused.length, 4);
    for (const message of refused) assert.match(message, /^WouldBlockError: .* would block .*; use /);
  });

  test("a page that is not isolated is told which headers it lacks", SLOW, async () => {
    const [create, array, group, options, limits] = (await run("refused", { plain: true })) as string[];
    for (const message of [create, array, group]) {
      assert.match(message, /Cross-Origin-Opener-Policy: same-origin/);
      assert.match(message, /Cross-Origin-Embedder-Policy: require-corp/);
    }
    assert.match(create, /threads: 0/);
    assert.match(options, /^TypeError: execArgv and env/);
    assert.match(limits, /^TypeError: resourceLimits is not kept by this browser/);
    assert.deepEqual(await run("inItself", { plain: true }), [3, 1]);
  });

  test("what cannot be loaded is named", SLOW, async () => {
    const [module, program, bare, none, mute] = (await run("missing")) as string[];
    assert.match(module, /none\.js/);
    assert.match(program, /a worker did not start: its program could not be loaded/);
    assert.match(bare, /could not be loaded; its file must be served with the header Cross-Origin-Embedder-Policy/);
    assert.match(none, /^TypeError: worker must return a Worker/);
    assert.match(mute, /must call serve\(\) of heddle\/worker/);
  });

  test("the user's own shared buffers reach every thread, also one that is at work", SLOW, async () => {
    assert.deepEqual(await run("ownBuffers"), [[21], 35, 14, 4, 4, 280, 21, "WouldBlockError"]);
    assert.equal(await run("manyBuffers"), 20 * 7 * 190);
  });

  test("what a synchronous job makes reaches others while it blocks", SLOW, async () => {
    assert.deepEqual(await run("firstInJobs", { bound: bound(10, 200) }), ["20,210"]);
  });

  test(
    "a wait for a result on memory that this thread does not know ends: with the result, or with an error",
    SLOW,
    async () => {
      const others = (await run("newResults", { bound: bound(300, 3000) })) as unknown[];
      for (const other of others) assert.equal(other, "WouldBlockError");
    },
  );

  test("what jobs post to the page arrives as messages of the system", SLOW, async () => {
    assert.deepEqual(await run("messages"), [{ heddle: "of the user's" }, true]);
  });

  test("a worker's death is noticed, whoever ends it, and another takes its place", SLOW, async () => {
    const [failure, sum, workers] = (await run("terminated")) as [string, number, number];
    assert.match(failure, /^WorkerCrashedError: job "until" failed: its worker thread ended unexpectedly/);
    assert.deepEqual([sum, workers], [4, 2]);
    const [message, sums, all] = (await run("terminatedAsleep")) as [string, number[], number];
    assert.match(message, /another has taken its place/);
    assert.deepEqual([sums, all], [Array.from({ length: 50 }, (_, k) => k + 1), 3]);
    const [closed, next] = (await run("closed")) as [string, number];
    assert.match(closed, /^WorkerCrashedError: .* with code 0$/);
    assert.equal(next, 2);
  });

  test("workers that are terminated at any moment lose no job", SLOW, async () => {
    const outcomes = new Set((await run("terminatedAtRandom", { bound: bound(8, 40) })) as (string | undefined)[]);
    assert.ok(outcomes.delete(undefined));
    for (const outcome of outcomes) assert.equal(outcome, "WorkerCrashedError");
  });

  test("a tab that is hidden, where timers hardly run, goes on", SLOW, async () => {
    const seldom = `{
      const { setTimeout, setInterval } = globalThis;
      globalThis.setTimeout = (work, milliseconds) => setTimeout(work, Math.max(1000, milliseconds ?? 0));
      globalThis.setInterval = (work, milliseconds) => setInterval(work, Math.max(1000, milliseconds ?? 0));
    }`;
    const [jobs, made, death, limit, main] = (await run("throttled", { before: seldom })) as unknown[];
    assert.deepEqual([jobs, made, main], [200, [5, 15], 3]);
    assert.match(death as string, /^WorkerCrashedError: /);
    assert.match(limit as string, /^JobTimeoutError: /);
  });

  test("after a long rest with timers open on the workers, jobs run", SLOW, async () => {
    assert.deepEqual(await run("idle", { bound: 6000 }), Array(50).fill(7));
  });

  test(
    "a shutdown leaves no worker, whatever jobs have left open; by force not even one that loops",
    SLOW,
    async () => {
      const page = await pages.page();
      assert.deepEqual(await on(page, "leftOpen"), { neverScheduled: {} });
      await until(() => page.workers().length === 0);
      assert.match((await on(page, "forced")) as string, /^(ShutdownError|WorkerCrashedError): /);
      await until(() => page.workers().length === 0);
      await page.close();
    },
  );

  test("jobs wait inside jobs as deep as a worker's stack allows", SLOW, async () => {
    const [deep, deeper] = (await run("depth")) as [number, string];
    assert.equal(deep, 120);
    assert.match(deeper, /jobs wait inside jobs \d+ deep/);
  });

  test("a page that is loaded again leaves nothing behind", SLOW, async () => {
    const page = await pages.page();
    for (let round = 0; round < 3; round++) {
      assert.equal(await on(page, "leaveBehind"), 2);
      await page.reload();
      await until(() => page.workers().length === 0);
    }
    assert.deepEqual(await on(page, "results"), [3, 7, 3, 'JobFailedError: job "fail" failed: bad']);
    await page.close();
  });

  test("a worker of the user's creates a system, and may wait", SLOW, async () => {
    assert.deepEqual(await run("nested"), [3, 2]);
  });

  test("serve on a thread that nobody serves says what is missing", SLOW, async () => {
    assert.match((await run("stray")) as string, /serve\(\) works only on a thread that a JobSystem has started/);
  });

  test("a failure that nobody waits for is reported", SLOW, async () => {
    assert.match((await run("unheard")) as string, /unheard/);
  });
});
