import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { DependencyFailedError, JobFailedError } from "heddle";
import { anyOdd, anyPlaces, check, stillWorks, withOddSystem } from "./support/fuzz.js";
import { bound } from "./support/long.js";
import { ODD_NAMES } from "./support/odd.js";
import * as work from "./support/odd-work.js";

test("whatever a job throws, those who wait get a JobFailedError, and nothing else breaks", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    for (const name of ODD_NAMES) {
      const error = await jobs.run(work.throwOdd, name, []).then(undefined, (thrown: unknown) => thrown);
      assert.ok(error instanceof JobFailedError, `${name}: ${String(error)}`);
      assert.match(error.message, /^job "throwOdd" failed/);
      assert.equal(error.job, "throwOdd");
    }
    await check(
      fc.asyncProperty(anyOdd, anyPlaces, async (name, places) => {
        const bad = jobs.spawn(work.throwOdd, name, places);
        const after = jobs.spawn(work.nothing).after(bad);
        const outcomes = await Promise.allSettled([after, bad]);
        const [dependent, own] = outcomes.map((each) => (each as PromiseRejectedResult).reason);
        assert.ok(dependent instanceof DependencyFailedError);
        assert.ok(dependent.cause instanceof JobFailedError);
        assert.ok(own instanceof JobFailedError);
        assert.equal(await jobs.run(work.add, 1, 2), 3);
      }),
      bound(30, 300),
    );
    await stillWorks(jobs);
  });
});

test("what a group's jobs throw rejects the group, which can be used again", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const group = jobs.group();
    await check(
      fc.asyncProperty(anyOdd, anyPlaces, async (name, places) => {
        group.run(work.throwOdd, name, places);
        group.run(work.nothing);
        const error = await group.then(undefined, (thrown: unknown) => thrown);
        assert.ok(error instanceof JobFailedError);
        group.run(work.nothing);
        await group;
      }),
      bound(20, 150),
    );
    await stillWorks(jobs);
  });
});

test("a failure that nobody waits for is reported, whatever was thrown", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const reported: unknown[] = [];
    jobs.on("error", (error) => reported.push(error));
    for (const name of ODD_NAMES) jobs.run(work.throwOdd, name, []);
    while (reported.length < ODD_NAMES.length) await jobs.run(work.sleep, 1);
    for (const error of reported) assert.ok(error instanceof JobFailedError);
    await stillWorks(jobs);
  });
});

test("errors keep what can be kept: names, lists, circles, properties", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const thrown = async (name: (typeof ODD_NAMES)[number]) => {
      const error = await jobs.run(work.throwOdd, name, []).then(undefined, (each: unknown) => each);
      return (error as JobFailedError).cause;
    };
    for (const [name, expected] of [
      ["named as a method of objects", "toString"],
      ["named as the prototype", "__proto__"],
      ["named as the constructor", "constructor"],
    ] as const) {
      const error = await thrown(name);
      assert.ok(error instanceof Error);
      assert.equal(error.name, expected);
    }
    const circle = (await thrown("errors in each other")) as AggregateError;
    assert.ok(circle instanceof AggregateError);
    assert.equal(circle.errors[0], circle);
    assert.equal(circle.errors[2].cause, circle);
    assert.equal(circle.errors[3], circle.errors);
    const [first, [second]] = (await thrown("list of errors")) as [Error, [Error]];
    assert.equal(first.message, "in a list");
    assert.ok(second instanceof TypeError);
    assert.deepEqual(await thrown("looks like a packed error"), {
      mark: "heddle:error",
      kind: "error",
      name: "toString",
    });
    assert.ok((await thrown("many causes")) instanceof Error);
  });
});
