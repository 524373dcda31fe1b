import assert from "node:assert/strict";
import test from "node:test";
import { DependencyFailedError, JobFailedError } from "heddle";
import * as work from "./support/failure-work.js";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { withSystem } from "./support/systems.js";

const FAILURE_WORK = new URL("./support/failure-work.js", import.meta.url);

/** An error and its causes. */
function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error; at = at.cause) chain.push(at);
  return chain;
}

/** Characters in an error and its causes. */
function charactersIn(error: unknown): number {
  return causesOf(error).reduce((sum, { message, stack }) => sum + message.length + (stack?.length ?? 0), 0);
}

async function failureOf(job: PromiseLike<unknown>): Promise<JobFailedError> {
  const error = await job.then(undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof JobFailedError);
  return error;
}

test("a failure that comes through a few jobs keeps them all", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      for (const depth of [0, 1, 5, 10]) {
        const chain = causesOf(await failureOf(jobs.run(work.descend, depth)));
        assert.equal(chain.length, depth + 2);
        for (const [k, each] of chain.slice(0, -1).entries()) {
          assert.equal(each.name, "JobFailedError");
          assert.equal((each as JobFailedError).job, "descend");
          assert.equal(each.message, `${'job "descend" failed: '.repeat(depth + 1 - k)}the first failure`);
        }
        assertFirst(chain.at(-1));
      }
    },
    FAILURE_WORK,
  );
});

function assertFirst(error: unknown): void {
  assert.ok(error instanceof RangeError);
  assert.equal(error.message, "the first failure");
  assert.match(error.stack ?? "", /RangeError: the first failure\n.*failFirst/);
  assert.deepEqual({ ...error }, { code: "E_FIRST", detail: { n: 1 } });
}

for (const [name, descend] of [
  ["directly", work.descend],
  ["as the cause of an error of its own", work.descendWrapping],
  ["asynchronously", work.descendLater],
] as const) {
  test(
    `a failure that comes through many jobs, ${name}, keeps the first one, and grows no further`,
    HANGS,
    async () => {
      await withSystem(
        { threads: 2 },
        async (jobs) => {
          const sizes: number[] = [];
          for (const depth of [150, 300]) {
            const error = await failureOf(jobs.run(descend, depth));
            const chain = causesOf(error);
            assert.ok(chain.length <= 20, `${chain.length} causes`);
            assertFirst(chain.at(-1));
            assert.equal((chain.at(-2) as JobFailedError).job, descend.name);
            assert.match(error.message, /^job "descend.*the first failure$/);
            const gap = chain.find((each) => "leftOut" in each) as Error & { leftOut: number };
            assert.match(gap.message, new RegExp(`${gap.leftOut} causes between were left out`));
            const levels = descend === work.descendWrapping ? 2 : 1;
            // All levels, the job that failed itself, and its failure.
            assert.equal(chain.length - 1 + gap.leftOut, levels * depth + 2);
            sizes.push(charactersIn(error));
          }
          assert.ok(sizes[1] < 1.3 * sizes[0], `${sizes} characters`);
          assert.ok(sizes[1] < 200_000, `${sizes} characters`);
        },
        FAILURE_WORK,
      );
    },
  );
}

test("failures with huge texts, lists and details keep what is small, and say what is not", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const huge = await failureOf(jobs.run(work.failHugely, 2 ** 26));
      assert.ok(charactersIn(huge) < 200_000);
      assert.match(huge.message, /^job "failHugely" failed: begin.* \[…\] .*end$/);
      assert.equal((huge.cause as { code?: string }).code, "E_HUGE");

      const detailed = (await failureOf(jobs.run(work.failWithDetail, 2 ** 26))).cause as Error &
        Record<string, unknown>;
      assert.equal(detailed.message, "with a large detail");
      assert.match(String(detailed.large), /left out: it takes 671\d+ bytes/);
      assert.deepEqual(detailed.small, { kept: true });

      const { cause } = await failureOf(jobs.run(work.failManyTimes, 20_000));
      const { errors } = cause as AggregateError;
      assert.equal((errors[0] as Error).message, "error 0");
      assert.equal(errors.length, 1001);
      assert.equal(errors.at(-1), "(19000 more were left out)");
    },
    FAILURE_WORK,
  );
});

test("all that depend on a failed job have its failure in common", HANGS, async () => {
  await withSystem(
    { threads: 2 },
    async (jobs) => {
      const first = jobs.spawn(work.descend, 0);
      const after = Array.from({ length: 2000 }, () => jobs.spawn(work.nothing).after(first));
      let last = jobs.spawn(work.nothing).after(...after);
      for (let k = 0; k < 500; k++) last = jobs.spawn(work.nothing).after(last);
      const settled = await Promise.allSettled([...after, last]);
      const causes = new Set<unknown>();
      for (const each of settled) {
        const { reason } = each as PromiseRejectedResult;
        assert.ok(reason instanceof DependencyFailedError);
        assert.equal(reason.job, "nothing");
        assert.equal(reason.message, 'job "nothing" did not run: job "descend" failed: the first failure');
        assert.ok(reason.cause instanceof JobFailedError);
        assertFirst(reason.cause.cause);
        causes.add(reason.cause);
      }
      assert.ok(causes.size < 20, `${causes.size} copies of one failure`);
      const group = jobs.group();
      for (let k = 0; k < 2000; k++) group.run(work.descend, 0);
      assertFirst((await failureOf(group.then())).cause);
      await group;
    },
    FAILURE_WORK,
  );
});

for (const threads of bound([2], [1, 2])) {
  test(
    `a failure that a job awaits and handles is not reported; one that it forgets is, ${threads} threads`,
    HANGS,
    async () => {
      await withSystem(
        { threads },
        async (jobs) => {
          const reported: string[] = [];
          jobs.on("error", ({ message }) => reported.push(message));
          const handled = "the first failure";
          for (const way of ["await", "all", "allSettled", "catch", "group"] as const) {
            const all = Array.from({ length: 100 }, () => jobs.run(work.handleFailure, way));
            assert.ok((await Promise.all(all)).every((message) => message.includes(handled)));
          }
          await jobs.run(work.forgetFailure, 3);
          await until(() => reported.length >= 3);
          assert.deepEqual(reported, Array(3).fill('job "failForgotten" failed: forgotten'));
        },
        FAILURE_WORK,
      );
    },
  );
}
