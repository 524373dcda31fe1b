import assert from "node:assert/strict";
import test from "node:test";
import {
  Channel,
  type Job,
  type JobOptions,
  type JobSystem,
  type JobTimeoutError,
  shared,
  WaitGroup,
  WorkerCrashedError,
} from "heddle";
import { isCancelled, run, signal } from "heddle/job";
import * as channelWork from "./support/channel-work.js";
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
  const same: JobSystem = jobs.ref().unref();
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
  const named: Job<number> = jobs.spawn(work.add, 1, 2).with({ name: "sum", timeout: 5, kill: true, retries: 1 });
  const cancellable: JobOptions = { signal: new AbortController().signal, priority: "high", on: "main" };
  const asked: boolean = isCancelled();
  const signalled: AbortSignal = signal();
  const limited = await sum.with(cancellable).then(undefined, (error) => (error as JobTimeoutError).timeout);
  const crashed: number = new WorkerCrashedError("job", 1, "").exitCode;
  // @ts-expect-error a job has no such option
  sum.with({ retry: 1 });
  // @ts-expect-error a number of milliseconds
  sum.with({ timeout: "5" });
  // @ts-expect-error one of three
  sum.with({ priority: "urgent" });
  // @ts-expect-error options are needed
  sum.with();
  // @ts-expect-error modules are needed
  const options: Parameters<typeof JobSystem.create>[0] = { threads: 2 };
  void [
    result,
    waited,
    both,
    mapped,
    last,
    cells,
    inside,
    same,
    wrong,
    options,
    named,
    asked,
    signalled,
    limited,
    crashed,
  ];
}

/** Never called, as above. */
export async function typesOfPrimitives(jobs: JobSystem): Promise<void> {
  const numbers: Channel<number> = new Channel({ capacity: 4 });
  const records: Channel<Float32Array> = new Channel({ capacity: 4, record: Float32Array, length: 3 });
  const values = new Channel<{ kind: string }>({ capacity: 4, maxBytes: 100 });
  const unknowns: Channel<unknown> = new Channel({ capacity: 4, maxBytes: 100 });
  const attached: Channel<number> = new Channel<number>(numbers.buffer);
  for await (const value of numbers) value.toFixed();
  for (const record of records) record.fill(0);
  const received = await values.receive();
  const kind: string = received.done ? "" : received.value.kind;
  const there: string | undefined = values.tryReceive()?.value?.kind;
  await records.send(shared(Float32Array, 3));
  const group = new WaitGroup();
  const sum: Job<void> = jobs.run(channelWork.produce, numbers, 0, 1);
  const made: Channel<number> = await jobs.run(channelWork.makeChannel, 1);
  jobs.run(channelWork.addOne, shared(Int32Array, 1), group);
  // @ts-expect-error a channel of numbers carries no strings
  numbers.trySend("1");
  // @ts-expect-error a record of another type
  await records.send(new Float64Array(3));
  // @ts-expect-error a property is missing
  values.sendSync({});
  // @ts-expect-error a channel needs a capacity
  new Channel({ maxBytes: 100 });
  // @ts-expect-error records need a length
  new Channel({ capacity: 4, record: Float32Array });
  // @ts-expect-error either records or values
  new Channel({ capacity: 4, record: Float32Array, length: 3, maxBytes: 100 });
  // @ts-expect-error a channel of strings for a job that wants numbers
  jobs.run(channelWork.produce, new Channel<string>({ capacity: 4, maxBytes: 100 }), 0, 1);
  // @ts-expect-error a number of things
  group.add("1");
  void [unknowns, attached, kind, there, sum, made];
}

test("heddle/job outside a job says so", () => {
  assert.throws(() => run(work.nothing), /works only inside a job/);
});
