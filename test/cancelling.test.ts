/** Jobs that are cancelled together settle then and there, whoever else takes what becomes ready meanwhile. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Job } from "heddle";
import { WORK } from "./support/systems.js";
import * as work from "./support/work.js";

const part = (name: string) => import(new URL(`../src/${name}.js`, import.meta.url).href);
const { Engine }: typeof import("../dist/api/engine.js") = await part("api/engine");
const { Functions }: typeof import("../dist/api/functions.js") = await part("api/functions");
const { layoutFor }: typeof import("../dist/memory/layout.js") = await part("memory/layout");
const { findReady }: typeof import("../dist/scheduler/ready.js") = await part("scheduler/ready");
const { executeAll }: typeof import("../dist/scheduler/finish.js") = await part("scheduler/finish");

test("a job that one of the same signal makes ready is settled by the thread that cancels it", async () => {
  const functions = await Functions.load([{ url: WORK.href }]);
  const layout = layoutFor(3, 1000);
  const main = new Engine(undefined, layout, 0, functions, 64, [], () => {});
  const worker = new Engine(main.context.memory.buffer, layout, 1, functions, 64, [], () => {});
  const controller = new AbortController();
  const spawn = () => main.spawn(work.nothing, 0, undefined, undefined, undefined, undefined, []);
  const first = spawn();
  const middle = spawn().after(first).with({ signal: controller.signal });
  const last: Job<unknown>[] = Array.from({ length: 5 }, () =>
    spawn().after(middle).with({ signal: controller.signal }),
  );
  for (const job of last) job.schedule();
  let finishedByWorker = 0;
  worker.runner.abort = () => finishedByWorker++;
  // Between any two jobs that are settled, the worker takes all that is ready.
  const settle = main.runner.abort.bind(main.runner);
  let taken = 0;
  main.runner.abort = (slot) => {
    const before = worker.context.enter();
    for (let job = findReady(worker.context); job !== 0; job = findReady(worker.context)) {
      executeAll(worker.context, job);
      taken++;
    }
    worker.context.leave(before);
    settle(slot);
  };
  controller.abort();
  assert.ok(taken > 0, "the worker has taken some");
  assert.equal(finishedByWorker, 0);
  for (const job of [middle, ...last]) assert.equal(job.settled, true);
});
