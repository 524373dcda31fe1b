import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type Job, JobSystem, type JobSystemOptions, shared } from "heddle";
import { anyOdd, assertHelpful, check, ODD_WORK, stillWorks, withOddSystem } from "./support/fuzz.js";
import { bound } from "./support/long.js";
import { ODD, ODD_NAMES, type OddName } from "./support/odd.js";
import * as work from "./support/odd-work.js";
import { REVOKED } from "./support/runtime.js";

/** An odd value where anything may stand. */
function odd(name: OddName): never {
  return ODD[name]() as never;
}

/** Twice the same, and nothing in between. */
function withGap<T>(value: T): T[] {
  const list = [value, value, value];
  delete list[1];
  return list;
}

/** What an attempt throws has to be helpful, unless it is what the odd value itself throws when it is looked at. */
async function attempt(what: () => unknown): Promise<void> {
  try {
    await what();
  } catch (error) {
    if (error instanceof EvalError || REVOKED.test(String(error))) return;
    assertHelpful(error);
  }
}

test("a system's first call with no function at all is refused", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    for (const call of [jobs.run, jobs.spawn, jobs.group().run] as ((...args: unknown[]) => unknown)[]) {
      const self = call === jobs.run || call === jobs.spawn ? jobs : jobs.group();
      assert.throws(() => call.call(self, undefined), /fn \(undefined\) is not a registered job function/);
      assert.throws(() => call.call(self), /fn \(undefined\) is not a registered job function/);
    }
    await stillWorks(jobs);
  });
});

test("odd functions are refused", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    const functions: unknown[] = ODD_NAMES.map(odd);
    const proxy = new Proxy(work.add, {});
    functions.push(
      Object.defineProperty(() => {}, "name", { value: Symbol("name") }),
      Object.defineProperty(() => {}, "name", { get: () => assert.fail("odd") }),
      work.add.bind(null),
      proxy,
    );
    for (const fn of functions) {
      // It has the name of an export.
      const expected =
        fn === proxy ? /is not the one that .*work\.js exports/ : /is not a registered job function; export it/;
      for (const call of [
        () => jobs.run(fn as never),
        () => jobs.spawn(fn as never),
        () => jobs.group().run(fn as never),
      ]) {
        assert.throws(call, expected);
      }
    }
    await stillWorks(jobs);
  });
});

test("odd values instead of jobs", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    for (const name of ODD_NAMES) {
      const job = jobs.spawn(work.add, 1, 2);
      const refused = /must be a Job made by spawn or run, not/;
      assert.throws(() => job.after(odd(name)), refused, name);
      assert.throws(() => job.after(jobs.spawn(work.nothing), odd(name)), refused, name);
      assert.throws(() => jobs.chain(odd(name)), refused, name);
      assert.throws(() => jobs.chain(job, odd(name)), refused, name);
      assert.throws(() => jobs.chain(odd(name), job), refused, name);
    }
    assert.throws(() => jobs.chain(...(new Array(3) as never as [Job<number>])), /must be a Job/);
    assert.throws(() => (jobs.chain as () => unknown)(), /needs at least one job/);
    assert.equal(await jobs.spawn(work.add, 1, 2).after(), 3);
    await stillWorks(jobs);
  });
});

test("`then` of jobs and groups with odd arguments settles as a promise's does", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const callable = new Set<OddName>(ODD_NAMES.filter((name) => typeof odd(name) === "function"));
    for (const name of ODD_NAMES) {
      if (callable.has(name)) continue;
      assert.equal(await jobs.spawn(work.add, 1, 2).then(odd(name), odd(name)), 3);
      await assert.rejects(jobs.run(work.fail, "as expected").then(odd(name), odd(name)), /as expected/);
      const group = jobs.group();
      group.run(work.nothing);
      assert.equal(await group.then(odd(name), odd(name)), undefined);
    }
    for (const name of callable) {
      const job = jobs.spawn(work.add, 1, 2);
      const mine = Promise.resolve(3);
      const [ours, theirs] = await Promise.allSettled([job.then(odd(name)), mine.then(odd(name))]);
      assert.equal(ours.status, theirs.status);
    }
    await stillWorks(jobs);
  });
});

test("the same job awaited many times, and in all ways", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const job = jobs.spawn(work.add, 1, 2);
    const many = Array.from({ length: 1000 }, () => job.then((value) => value));
    many.push(Promise.resolve(job), (async () => await job)());
    assert.equal(job.wait(), 3);
    assert.deepEqual(new Set(await Promise.all(many)), new Set([3]));
    assert.equal(job.schedule(), job);
    assert.equal(await job, 3);
    await stillWorks(jobs);
  });
});

test("odd options", async () => {
  const create = (options: unknown) => JobSystem.create(options as JobSystemOptions);
  const refused = (options: unknown) =>
    attempt(async () => {
      const system = await create(options);
      await system.shutdown();
      assert.fail("was accepted");
    });
  for (const name of ODD_NAMES) {
    await refused(odd(name));
    await refused({ threads: 1, modules: odd(name) });
    await refused({ threads: 1, modules: [odd(name)] });
    if (name !== "undefined" && name !== "null") {
      await refused({ threads: odd(name), modules: [] });
      await refused({ maxJobs: odd(name), modules: [] });
    }
  }
  await assert.rejects(create({ threads: 1, modules: new Array(2) }), /modules\[0\] must be a URL or an absolute path/);
  await assert.rejects(create({ threads: 1, modules: withGap(ODD_WORK) }), /modules\[1\] must be .* not undefined/);
  const getter = {
    get modules(): never {
      throw new EvalError("from a getter");
    },
  };
  await assert.rejects(create(getter), EvalError);
});

test("odd options of shutdown reject, and shut nothing down", async () => {
  await withOddSystem({ threads: 1 }, async (jobs) => {
    for (const options of [null, true, "force", 1, Symbol("s"), 1n, () => {}]) {
      await assert.rejects(jobs.shutdown(options as never), /shutdown needs no options, or \{ force: true \}, not/);
    }
    for (const force of ["no", 0, 1, {}, Symbol("s"), odd("revoked object")]) {
      await assert.rejects(jobs.shutdown({ force: force as never }), /force must be true or false, not/);
    }
    await attempt(() => jobs.shutdown(odd("hostile")));
    await attempt(() => jobs.shutdown(odd("revoked object")));
    await stillWorks(jobs);
  });
});

test("odd options of a job are refused by name, and leave the job as it was", async () => {
  await withOddSystem({ threads: 2 }, async (jobs) => {
    const controller = new AbortController();
    const refuse = (options: unknown, because: RegExp | ((error: unknown) => boolean)) => {
      const job = jobs.spawn(work.add, 1, 2);
      assert.throws(() => job.with(options as never), because, String(because));
      return job;
    };
    const left: Job<number>[] = [];
    for (const options of [undefined, null, 1, "timeout", Symbol("s"), 1n, () => {}]) {
      left.push(refuse(options, /with needs options such as \{ timeout: 1000 \}, not/));
    }
    left.push(refuse({ timeOut: 1 }, /a job has no option "timeOut"; it has signal, timeout, kill, /));
    left.push(refuse([1], /a job has no option "0"/));
    for (const timeout of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 30 + 1]) {
      left.push(refuse({ name: "x", timeout }, /timeout must be from 1 to 1073741824 milliseconds, not/));
    }
    for (const name of ["", "x".repeat(1001)]) left.push(refuse({ name }, /name must have 1 to 1000 characters, not/));
    for (const retries of [-1, 0.5, 1001, Number.NaN]) {
      left.push(refuse({ retries }, /retries must be a whole number from 0 to 1000, not/));
    }
    for (const priority of ["", "urgent", "High"])
      left.push(refuse({ priority }, /priority must be "high", "normal" or/));
    for (const on of ["", "worker"]) left.push(refuse({ on }, /on must be "main", not "/));
    left.push(refuse({ kill: true }, /kill needs a timeout or a signal: give job "add" one of them as well/));
    left.push(refuse({ on: "main", timeout: 5 }, /timeout and on: "main" exclude each other/));
    left.push(refuse({ signal: {} }, /signal must be an AbortSignal, such as .* not object without aborted/));
    const expected: readonly [string, RegExp][] = [
      ["signal", /signal must be an AbortSignal/],
      ["timeout", /timeout must be /],
      ["kill", /kill must be true or false, not/],
      ["name", /name must /],
      ["priority", /priority must be "high", "normal" or "low", not/],
      ["on", /on must be "main", not/],
      ["retries", /retries must be /],
    ];
    for (const name of ODD_NAMES) {
      for (const [key, because] of expected) {
        if (name === "undefined" || FITTING.includes(`${key}: ${name}`)) continue;
        left.push(refuse({ timeout: 5, signal: controller.signal, [key]: odd(name) }, asExpected(because)));
      }
      await attempt(() => jobs.spawn(work.add, 1, 2).with(odd(name)));
    }
    controller.abort();
    for (const job of left) {
      assert.equal(job.name, "add");
      assert.equal(await job, 3);
    }
    await stillWorks(jobs);
  });
});

/** Odd values that are good for an option. */
const FITTING = [
  "kill: true",
  "retries: zero",
  "retries: minus zero",
  "timeout: fraction",
  "name: text",
  "name: lone surrogate",
];

/** The error that is expected, or what the odd value itself throws when it is looked at. */
function asExpected(because: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof EvalError || REVOKED.test(String(error)) || because.test(String(error));
}

test("shared() with odd types and lengths", async () => {
  const make = shared as (type: unknown, length: unknown) => ArrayBufferView;
  for (const name of ODD_NAMES) {
    assert.throws(() => make(odd(name), 4), /type must be a typed array constructor such as Float32Array/, name);
  }
  for (const type of [Array, Map, DataView, ArrayBuffer, SharedArrayBuffer, Object.getPrototypeOf(Uint8Array)]) {
    assert.throws(() => make(type, 4), /type must be a typed array constructor/);
  }
  for (const length of [undefined, null, "abc", 5n, Symbol("s"), () => {}, true]) {
    assert.throws(
      () => make(Float32Array, length),
      /length must be a number of elements, or an array of elements, not/,
    );
  }
  for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, {}, { length: -1 }, { length: "2" }]) {
    assert.throws(() => make(Float32Array, length), /length must be a whole number of elements/);
  }
  assert.throws(() => make(Float64Array, 2 ** 50), /length must be smaller: there is no memory for/);
  assert.equal(shared(Int8Array, -0).length, 0);
  assert.deepEqual([...shared(Float32Array, withGap(1) as number[])], [1, Number.NaN, 1]);
  assert.deepEqual([...shared(Uint8Array, { length: 2, 0: 7, 1: 8 })], [7, 8]);
  assert.equal((make(BigInt64Array, [1n]) as BigInt64Array)[0], 1n);
  await check(
    fc.asyncProperty(anyOdd, async (name) => {
      if (name !== "long and looks like an array") await attempt(() => make(Uint16Array, odd(name)));
    }),
    bound(40, 200),
  );
});
