/** Jobs and groups where promises are expected, and what logs show of them. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { JobFailedError } from "heddle";
import { HANGS } from "./support/hangs.js";
import { withSystem } from "./support/systems.js";
import * as work from "./support/work.js";

test("jobs and groups are promises: catch, finally, and where a promise's type is asked for", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const sum: Promise<number> = jobs.run(work.add, 1, 2);
    assert.equal(await sum, 3);
    assert.equal(await jobs.spawn(work.add, 1, 2).catch(() => 0), 3);
    assert.equal(await jobs.spawn(work.boom, "no").catch((error) => (error as Error).name), "JobFailedError");
    let ended = 0;
    const count = () => {
      ended++;
    };
    assert.equal(await jobs.spawn(work.add, 2, 2).finally(count), 4);
    await assert.rejects(jobs.spawn(work.boom, "no").finally(count), JobFailedError);
    const group = jobs.group();
    const all: Promise<void> = group;
    group.run(work.nothing);
    await all.finally(count);
    group.run(work.boom, "no");
    assert.ok((await group.catch((error) => error)) instanceof JobFailedError);
    assert.equal(ended, 3);
  });
});

test("logs show a job, a group and a system in one line, not the engine behind them", HANGS, async () => {
  await withSystem({ threads: 1 }, async (jobs) => {
    const job = jobs.spawn(work.add, 1, 2).with({ name: "sum" });
    assert.equal(JSON.stringify({ job }), '{"job":{"job":"sum","state":"pending"}}');
    assert.equal(inspect([job]), '[ Job "sum" (pending) ]');
    await job;
    assert.equal(JSON.stringify(job), '{"job":"sum","state":"completed"}');
    const failed = jobs.run(work.boom, "no");
    await failed.catch(() => {});
    assert.equal(inspect(failed), 'Job "boom" (failed)');
    const group = jobs.group();
    group.run(work.nothing);
    assert.equal(JSON.stringify(group), '{"group":1}');
    assert.equal(inspect(group), "Group of 1 jobs");
    await group;
    assert.equal(JSON.stringify(jobs), '{"threads":1}');
    assert.equal(inspect(jobs), "JobSystem with 1 threads");
    assert.deepEqual([job, group, jobs].map(String), ["[object Job]", "[object Group]", "[object JobSystem]"]);
  });
});
