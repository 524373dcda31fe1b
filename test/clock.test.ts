/** Fake timers of a test stand still; heddle's own go on. */
import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { shared } from "heddle";
import { HANGS } from "./support/hangs.js";
import { DENO } from "./support/runtime.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

/** Does what needs timers, microtasks and clocks of heddle's. */
async function useAll(threads: number): Promise<void> {
  await withSystem({ threads }, async (jobs) => {
    const cells = shared(Int32Array, 1);
    for (let k = 0; k < 40; k++) jobs.run(work.count, cells, 0);
    assert.equal(await jobs.run(work.add, 1, 2), 3);
    const group = jobs.group();
    for (let k = 0; k < 100; k++) group.run(work.count, cells, 0);
    await group;
    const late = jobs.spawn(work.sleep, 20).with({ timeout: 10_000 });
    assert.equal(await late, undefined);
    await assert.rejects(async () => await jobs.run(work.boom, "bad"), /bad/);
    assert.equal(cells[0], 140);
  });
}

const FAKED = { ...HANGS, skip: DENO && "Deno's fake timers also replace what heddle has taken before" };

test("jobs settle under node:test's fake timers", FAKED, async () => {
  mock.timers.enable();
  try {
    for (const threads of [0, 1, 2]) await useAll(threads);
  } finally {
    mock.timers.reset();
  }
});

test("jobs settle where all that Jest and Vitest replace stands still", HANGS, async () => {
  const names = [
    "setTimeout",
    "setInterval",
    "setImmediate",
    "clearTimeout",
    "clearInterval",
    "queueMicrotask",
  ] as const;
  const globals = globalThis as Record<string, unknown>;
  const before = names.map((name) => globals[name]);
  const { performance: watch, Date: Calendar } = globalThis;
  const { hrtime } = process;
  for (const name of names) globals[name] = () => 0;
  globals.performance = { now: () => 0 };
  globals.Date = class extends Calendar {
    static override now(): number {
      return 0;
    }
  };
  process.hrtime = (() => [0, 0]) as unknown as typeof hrtime;
  try {
    for (const threads of [0, 1, 2]) await useAll(threads);
  } finally {
    names.forEach((name, k) => {
      globals[name] = before[k];
    });
    Object.assign(globals, { performance: watch, Date: Calendar });
    process.hrtime = hrtime;
  }
});
