/** What heddle does wherever it runs. Each case has a system of its own, and throws if anything is not as it should be. */

function equal(actual, expected) {
  const [a, b] = [actual, expected].map((value) => JSON.stringify(value));
  if (a !== b) throw new Error(`${a} is not ${b}`);
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it has not failed");
}

/** Aborts a signal when the job that it is for has begun, as it notes. */
async function abortWhenBegun(abort, begun) {
  while (begun[0] === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  abort.abort();
}

export const cases = {
  "a job gives its result": async ({ jobs, work }) => equal(await jobs.run(work.add, 1, 2), 3),
  "objects are copied": async ({ jobs, work }) => {
    const given = { list: [1, "ж", null], nested: { at: 1.5 } };
    const copy = await jobs.run(work.echo, given);
    equal(copy, given);
    equal(copy === given, false);
  },
  "maps, sets, dates and big numbers are copied": async ({ jobs, work }) => {
    const copy = await jobs.run(work.echo, [new Map([[1, new Set([2n])]]), new Date(5)]);
    equal([...copy[0].get(1)][0] === 2n, true);
    equal(copy[1].getTime(), 5);
  },
  "shared arrays go by reference": async ({ heddle, jobs, work }) => {
    const cells = heddle.shared(Int32Array, 2);
    await jobs.run(work.count, cells, 1);
    equal([...cells], [0, 1]);
  },
  "a long text comes through": async ({ jobs, work }) => {
    const text = "häddle – ж".repeat(1000);
    equal((await jobs.run(work.echo, text)) === text, true);
  },
  "a failure has a name, a message and its cause": async ({ heddle, jobs, work }) => {
    const error = await failure(jobs.run(work.fail, "bad"));
    equal(error instanceof heddle.JobFailedError, true);
    equal([error.cause.name, error.cause.message, error.cause.code], ["RangeError", "bad", "E_CASE"]);
    equal(error.cause.cause.message, "deeper");
  },
  "what depends on a failure fails": async ({ heddle, jobs, work }) => {
    const first = jobs.spawn(work.fail, "first");
    const error = await failure(first.then(jobs.spawn(work.add, 1, 2)));
    equal(error instanceof heddle.DependencyFailedError, true);
    await failure(first);
  },
  "jobs run after those that they depend on": async ({ heddle, jobs, work }) => {
    const cells = heddle.shared(Int32Array, 1);
    const before = Array.from({ length: 20 }, () => jobs.spawn(work.count, cells, 0));
    const last = jobs.spawn(work.echo, cells).after(...before);
    equal((await last)[0], 20);
  },
  "jobs link jobs": async ({ jobs, work }) => equal(await jobs.run(work.linked, 10), 23),
  "fork–join": async ({ jobs, work }) => equal(await jobs.run(work.fib, 12), 144),
  "a group in a job": async ({ heddle, jobs, work }) => {
    equal(await jobs.run(work.countInGroup, heddle.shared(Int32Array, 1), 500), 500);
  },
  "a group is awaited": async ({ heddle, jobs, work }) => {
    const cells = heddle.shared(Int32Array, 1);
    const group = jobs.group();
    for (let k = 0; k < 500; k++) group.run(work.count, cells, 0);
    await group;
    equal(cells[0], 500);
  },
  "a channel": async ({ heddle, jobs, work }) => {
    const channel = new heddle.Channel({ capacity: 8 });
    const sum = jobs.run(work.sumOf, channel);
    for (let k = 1; k <= 100; k++) await channel.send(k);
    channel.close();
    equal(await sum, 5050);
  },
  "a wait group": async ({ heddle, jobs, work }) => {
    const [waitGroup, cells] = [new heddle.WaitGroup(), heddle.shared(Int32Array, 1)];
    waitGroup.add(3);
    for (let k = 0; k < 3; k++) jobs.run(work.doneWith, waitGroup, cells);
    await waitGroup.wait();
    equal(cells[0], 3);
  },
  "asynchronous jobs": async ({ jobs, work }) => {
    equal(await Promise.all([3, 1, 2].map((n) => jobs.run(work.later, n))), [3, 1, 2]);
  },
  "jobs await jobs": async ({ jobs, work }) => equal(await jobs.run(work.awaits, 4), 12),
  "a signal cancels what has not begun": async ({ heddle, jobs, work }) => {
    const error = await failure(jobs.spawn(work.add, 1, 2).with({ signal: AbortSignal.abort() }));
    equal(error instanceof heddle.JobCancelledError, true);
  },
  "a signal reaches an asynchronous job": async ({ heddle, jobs, work }) => {
    const [abort, begun] = [new AbortController(), heddle.shared(Int32Array, 1)];
    const job = jobs.spawn(work.untilStopped, begun).with({ signal: abort.signal }).schedule();
    await abortWhenBegun(abort, begun);
    equal(await job, "stopped");
  },
  "a signal reaches a synchronous job": async ({ heddle, jobs, work }) => {
    const [abort, begun] = [new AbortController(), heddle.shared(Int32Array, 1)];
    const job = jobs.spawn(work.untilCancelled, begun).with({ signal: abort.signal }).schedule();
    await abortWhenBegun(abort, begun);
    equal(await job, "cancelled");
  },
  "a time limit": async ({ heddle, jobs, work }) => {
    const begun = heddle.shared(Int32Array, 1);
    const error = await failure(jobs.spawn(work.untilCancelled, begun).with({ timeout: 30 }));
    equal(error instanceof heddle.JobTimeoutError, true);
  },
  "a time limit that ends the thread": async ({ heddle, jobs, work }) => {
    const error = await failure(jobs.spawn(work.endless).with({ timeout: 30, kill: true }));
    equal(error instanceof heddle.JobTimeoutError, true);
    equal(await jobs.run(work.add, 2, 2), 4);
  },
  "a worker's death": async ({ heddle, jobs, work }) => {
    const error = await failure(jobs.run(work.end, 7));
    equal(error instanceof heddle.WorkerCrashedError, true);
    equal(await jobs.run(work.add, 3, 3), 6);
  },
  "jobs on the main thread": async ({ jobs, work }) => {
    equal(await jobs.spawn(work.add, 4, 4).with({ on: "main" }), 8);
  },
  "a function that is no job is refused": async ({ heddle, jobs }) => {
    const error = await failure((async () => jobs.run(() => 1))());
    equal(error instanceof heddle.UnknownJobFunctionError, true);
  },
  "a shutdown finishes what is scheduled": async ({ heddle, jobs, work }) => {
    const job = jobs.run(work.later, 10);
    jobs.spawn(work.add, 1, 1);
    equal((await jobs.shutdown()).neverScheduled, { add: 1 });
    equal(await job, 10);
    const error = await failure((async () => jobs.run(work.add, 1, 1))());
    equal(error instanceof heddle.ShutdownError, true);
  },
};

/** Runs one case. @param options what `JobSystem.create` is given besides `threads` */
export async function runCase(name, heddle, work, options) {
  const jobs = await heddle.JobSystem.create({ threads: 2, ...options });
  try {
    await cases[name]({ heddle, jobs, work });
  } finally {
    await jobs.shutdown({ force: true });
  }
}

/** Runs all cases, and prints how many are as they should be, and which are not. */
export async function runAll(heddle, work, options) {
  let passed = 0;
  for (const name of Object.keys(cases)) {
    try {
      await runCase(name, heddle, work, options);
      passed++;
    } catch (error) {
      console.log(`failed: ${name}: ${error?.stack ?? error}`);
    }
  }
  console.log(`${passed} of ${Object.keys(cases).length} cases passed`);
}
