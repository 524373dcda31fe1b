import assert from "node:assert/strict";
import test from "node:test";
import { type Job, type JobSystem, shared } from "heddle";
import { run } from "heddle/job";
import * as work from "./support/work.js";

/** Never called: what must and must not compile. `tsc` fails where an expected error is missing. */
export async function typesOf(jobs: JobSystem): Promise<void> {
  const sum: Job<number> = jobs.spawn(work.add, 1, 2);
  const result: number = await sum;
  const waited: number = sum.wait();
  const both: [number, string] = await Promise.all([sum, jobs.run(work.echo<string>, "text")]);
  const next: Job<void> = sum.then(jobs.spawn(work.nothing));
  const mapped: Promise<string> = sum.then((value) => value.toFixed());
  const last: Job<number> = jobs.chain(next, jobs.spawn(work.boom, "x"), sum);
  const cells: Int32Array = shared(Int32Array, 4);
  const inside: Job<number> = run(work.fib, 3);
  // @ts-expect-error a string is not a number
  jobs.spawn(work.add, 1, "2");
  // @ts-expect-error an argument is missing
  jobs.run(work.add, 1);
  // @ts-expect-error one too many
  jobs.group().run(work.nothing, 1);
  // @ts-expect-error the result is a number
  const wrong: string = await jobs.run(work.add, 1, 2);
  // @ts-expect-error only jobs can be prerequisites
  sum.after(Promise.resolve());
  // @ts-expect-error run in heddle/job is typed too
  run(work.fib, "3");
  // @ts-expect-error modules are needed
  const options: Parameters<typeof JobSystem.create>[0] = { threads: 2 };
  void [result, waited, both, mapped, last, cells, inside, wrong, options];
}

test("heddle/job outside a job says so", () => {
  assert.throws(() => run(work.nothing), /works only inside a job/);
});
