import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { DependencyCycleError, type Job, JobAlreadyScheduledError } from "heddle";
import { check, stillWorks, withOddSystem } from "./support/fuzz.js";
import { HANGS } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/odd-work.js";

const JOBS = 8;
const index = fc.integer({ min: 0, max: JOBS - 1 });

/** What one may do with some jobs, in any order. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("link" as const), first: index, next: index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("schedule" as const), first: index, next: index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("await" as const), first: index, next: index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), first: index, next: index }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("elsewhere" as const), first: index, next: index }) },
);

test(
  "any sequence of links (double, to itself, too late, elsewhere), schedules and waits ends well",
  HANGS,
  async () => {
    for (const threads of bound([2], [1, 2, 3])) {
      await withOddSystem({ threads }, async (jobs) => {
        await check(
          fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
            const all = Array.from({ length: JOBS }, (_, k) => jobs.spawn(work.add, k, 100));
            const settled: Promise<unknown>[] = [];
            const keep = (promise: PromiseLike<unknown>) =>
              settled.push(
                promise.then(undefined, (error: unknown) => {
                  assert.ok(isExpected(error), String(error));
                }) as Promise<unknown>,
              );
            for (const { kind, first, next } of steps) {
              try {
                if (kind === "link") all[first].then(all[next]);
                else if (kind === "schedule") all[first].schedule();
                else if (kind === "wait") assert.equal(all[first].wait(), first + 100);
                else if (kind === "await") keep(all[first].then((value) => assert.equal(value, first + 100)));
                else await jobs.run(work.linkHandles, all[first], all[next]).then(undefined, causeOf);
              } catch (error) {
                assert.ok(isExpected(error), String(error));
              }
            }
            await Promise.all(settled);
            for (const [k, job] of all.entries()) {
              const value = await job.then(undefined, (error: unknown) => error);
              assert.ok(value === k + 100 || value instanceof DependencyCycleError, String(value));
            }
            assert.equal(await jobs.run(work.add, 1, 2), 3);
          }),
          bound(40, 150),
        );
        await stillWorks(jobs);
      });
    }
  },
);

function isExpected(error: unknown): boolean {
  return error instanceof DependencyCycleError || error instanceof JobAlreadyScheduledError;
}

/** A job that links reports JobAlreadyScheduledError, and cycles, as its cause: made anew on this thread, by their names. */
function causeOf(error: unknown): void {
  const { cause } = error as { cause?: { name?: unknown } };
  assert.match(String(cause?.name), /^(JobAlreadyScheduledError|DependencyCycleError)$/);
}

test("ten thousand links between the same two jobs, and ten thousand prerequisites in one call", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const first = jobs.spawn(work.add, 1, 2);
    const next = jobs.spawn(work.add, 3, 4).after(...new Array<Job<number>>(10_000).fill(first));
    assert.equal(await next, 7);
    const many = Array.from({ length: 10_000 }, () => jobs.spawn(work.nothing));
    assert.equal(await jobs.spawn(work.add, 5, 6).after(...many), 11);
    const chain = Array.from({ length: 10_000 }, () => jobs.spawn(work.nothing)) as [Job<void>, ...Job<void>[]];
    await jobs.chain(...chain);
    await stillWorks(jobs);
  });
});

test("a job after itself, alone or in a circle of handles, is a cycle and does not hang", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const self = jobs.spawn(work.nothing);
    self.after(self, self);
    assert.throws(() => self.wait(), DependencyCycleError);
    await assert.rejects(async () => await self, DependencyCycleError);
    await assert.rejects(async () => await jobs.chain(self, jobs.spawn(work.nothing)), DependencyCycleError);
    const other = jobs.spawn(work.nothing);
    await assert.rejects(async () => await jobs.chain(other, jobs.spawn(work.nothing), other), DependencyCycleError);
    await stillWorks(jobs);
  });
});
