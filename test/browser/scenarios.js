/** What the tests of browser.test.ts do on a page. Each gives what the test compares. */
import * as heddle from "/heddle/index.js";
import * as work from "./work.js";

const { JobSystem, shared, Channel, WaitGroup } = heddle;
const modules = [new URL("./work.js", import.meta.url)];

/** Calls `body` with a system of its own. */
async function withSystem(options, body) {
  const jobs = await JobSystem.create({ threads: 2, modules, ...options });
  try {
    return await body(jobs);
  } finally {
    await jobs.shutdown();
  }
}

/** What is thrown, as text. */
async function failure(what) {
  try {
    await (typeof what === "function" ? what() : what);
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
  return "nothing was thrown";
}

export function results() {
  return withSystem({}, async (jobs) => [
    await jobs.run(work.add, 1, 2),
    await jobs.run(work.chained, 4),
    await jobs.run(work.later, 3),
    await failure(jobs.run(work.fail, "bad")),
  ]);
}

export function waits() {
  return withSystem({}, async (jobs) => {
    const done = jobs.run(work.add, 1, 2);
    await jobs.run(work.later, 20);
    while (!done.settled) await jobs.run(work.later, 1);
    // Held up until all has been asked.
    const cells = shared(Int32Array, 2);
    const group = jobs.group();
    group.run(work.until, cells);
    const waitGroup = new WaitGroup();
    waitGroup.add();
    const channel = new Channel({ capacity: 1 });
    const failures = [
      done.wait(),
      await failure(() => jobs.run(work.until, cells).wait()),
      await failure(() => group.wait()),
      await failure(() => waitGroup.waitSync()),
      await failure(() => channel.receiveSync()),
    ];
    Atomics.store(cells, 0, 1);
    await group;
    return failures;
  });
}

export function inItself() {
  return withSystem({ threads: 0 }, async (jobs) => [jobs.run(work.add, 1, 2).wait(), await jobs.run(work.later, 1)]);
}

export async function refused() {
  const create = (options) => failure(JobSystem.create({ threads: 1, modules, ...options }));
  return [
    await failure(JobSystem.create({ modules })),
    await failure(() => shared(Int32Array, 1)),
    await failure(() => new WaitGroup()),
    await create({ threads: 0, execArgv: [] }),
    await create({ threads: 0, resourceLimits: { stackSizeMb: 1 } }),
  ];
}

export async function missing() {
  const create = (options) => failure(JobSystem.create({ threads: 1, modules, ...options }));
  return [
    await create({ modules: [new URL("./none.js", import.meta.url)] }),
    await create({ worker: (options) => new Worker(new URL("./none.js", import.meta.url), options) }),
    // Served without the headers, so the browser does not load it.
    await create({ worker: (options) => new Worker(new URL("/plain/serve.js", import.meta.url), options) }),
    await create({ worker: () => 1 }),
    // It says nothing of heddle: it does not call serve.
    await create({
      startTimeout: 300,
      worker: (options) => new Worker(new URL("./work.js", import.meta.url), options),
    }),
  ];
}

export function ownBuffers() {
  return withSystem({ threads: 3 }, async (jobs) => {
    const cells = work.make(3);
    const twoAtOnce = await Promise.all(Array.from({ length: 50 }, () => jobs.run(work.sum, cells)));
    return [
      [...new Set(twoAtOnce)],
      await jobs.run(work.sum, work.make(5)),
      await jobs.run(work.sumNested, work.makeNested(2)),
      (await jobs.run(work.make, 4)).length,
      (await jobs.run(work.makeNested, 4)).list[0].length,
      await jobs.run(work.sumThere, 2),
      await jobs.run(work.awaitMade, shared(Int32Array, 1)),
      await jobs.run(work.waitForMade, shared(Int32Array, 1)),
    ];
  });
}

export function firstInJobs(rounds) {
  return withSystem({ threads: 3 }, async (jobs) => {
    const outcomes = new Set();
    for (let round = 0; round < rounds; round++) {
      for (const outcome of await Promise.all([1, 2].map(() => jobs.run(work.useMade, 20)))) outcomes.add(`${outcome}`);
    }
    return [...outcomes];
  });
}

export function newResults(rounds) {
  return withSystem({ threads: 3 }, async (jobs) => {
    const outcomes = new Set();
    for (let round = 0; round < rounds; round++) {
      outcomes.add(await jobs.run(work.waitForAny));
      outcomes.add(work.sum(await jobs.run(work.make, 3)));
    }
    return [...outcomes].filter((outcome) => outcome !== 21);
  });
}

export function manyBuffers() {
  return withSystem({}, async (jobs) => {
    let total = 0;
    for (let round = 0; round < 20; round++) {
      const made = await Promise.all(Array.from({ length: 20 }, (_, k) => jobs.run(work.make, k)));
      const sums = await Promise.all(made.map((cells) => jobs.run(work.sum, cells)));
      total += work.sum(sums);
    }
    return total;
  });
}

export function messages() {
  return withSystem({}, async (jobs) => {
    const heard = new Promise((resolve) => jobs.once("message", (value, thread) => resolve([value, thread > 0])));
    await jobs.run(work.tell, { heddle: "of the user's" });
    return heard;
  });
}

/** Workers that the user starts himself, and notes. */
function notedWorkers() {
  const workers = [];
  const worker = (options) => {
    workers.push(new Worker("/serve.js", options));
    return workers.at(-1);
  };
  return { workers, worker };
}

/** The user terminates a worker, which he has started himself, in the midst of a job. */
export async function terminated() {
  const { workers, worker } = notedWorkers();
  return withSystem({ threads: 1, worker, modules: [work] }, async (jobs) => {
    const cells = shared(Int32Array, 2);
    const job = jobs.run(work.until, cells);
    while (cells[1] === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    workers[0].terminate();
    const first = await failure(job);
    return [first, await jobs.run(work.add, 2, 2), workers.length];
  });
}

/** A worker that sleeps is terminated: nobody's job is lost, and the system says so. */
export async function terminatedAsleep() {
  const { workers, worker } = notedWorkers();
  return withSystem({ threads: 2, worker, modules: [work] }, async (jobs) => {
    const reported = new Promise((resolve) => jobs.once("error", ({ message }) => resolve(message)));
    workers[0].terminate();
    const message = await reported;
    return [message, await Promise.all(Array.from({ length: 50 }, (_, k) => jobs.run(work.add, k, 1))), workers.length];
  });
}

/** Workers are terminated now and then, whatever they do. */
export async function terminatedAtRandom(rounds) {
  const workers = new Map();
  const worker = (options) => {
    workers.set(options.name, new Worker("/serve.js", options));
    return workers.get(options.name);
  };
  return withSystem({ threads: 3, worker, modules: [work] }, async (jobs) => {
    jobs.on("error", () => {});
    const outcomes = new Set();
    for (let round = 0; round < rounds; round++) {
      const all = [
        ...Array.from({ length: 300 }, (_, k) => jobs.run(work.add, k, 1)),
        ...Array.from({ length: 10 }, () => jobs.run(work.later, 20)),
        jobs.run(work.sum, work.make(3)),
        jobs.run(work.makeNested, 3).then(jobs.spawn(work.add, 1, 1)),
        jobs.run(work.sumThere, 2),
        jobs.run(work.chained, 4),
      ];
      // One that has started: of another it would be noticed only when the time for its start is over.
      const ready = jobs.run(work.who);
      all.push(ready);
      await new Promise((resolve) => setTimeout(resolve, round % 7));
      await ready.then(
        (name) => workers.get(name).terminate(),
        () => {},
      );
      for (const { reason } of await Promise.allSettled(all)) outcomes.add(reason?.name);
    }
    return [...outcomes];
  });
}

export function closed() {
  return withSystem({ threads: 1 }, async (jobs) => [
    await failure(jobs.run(work.end)),
    await jobs.run(work.add, 1, 1),
  ]);
}

export async function leftOpen() {
  const jobs = await JobSystem.create({ threads: 2, modules });
  await jobs.run(work.leaveOpen);
  return jobs.shutdown();
}

export async function forced() {
  const jobs = await JobSystem.create({ threads: 1, modules });
  const cells = shared(Int32Array, 2);
  const job = failure(jobs.run(work.until, cells));
  while (cells[1] === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await jobs.shutdown({ force: true, grace: 10 });
  return job;
}

/** Leaves a system at work behind. */
export async function leaveBehind() {
  const jobs = await JobSystem.create({ threads: 2, modules });
  jobs.run(work.until, shared(Int32Array, 2));
  jobs.run(work.later, 1e6);
  return jobs.threads;
}

/** A system that a worker of the user's has created. */
export function nested() {
  const worker = new Worker("/nested.js", { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      worker.terminate();
      resolve(data);
    };
    worker.onerror = ({ message }) => reject(new Error(message));
  });
}

/** A thread that no system has started. */
export function stray() {
  const worker = new Worker("/serve.js", { type: "module" });
  return new Promise((resolve) => {
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      resolve(event.message);
    };
  });
}

export function unheard() {
  return withSystem({}, async (jobs) => {
    const heard = new Promise((resolve) => jobs.on("error", ({ message }) => resolve(message)));
    jobs.run(work.fail, "unheard");
    return heard;
  });
}

export function depth() {
  return withSystem({ threads: 1 }, async (jobs) => [
    await jobs.run(work.deep, 120),
    await failure(jobs.run(work.deep, 300)),
  ]);
}

/** What must work though timers hardly run: jobs, channels, deaths, limits. */
export function throttled() {
  const { workers, worker } = notedWorkers();
  return withSystem({ threads: 2, worker, modules: [work] }, async (jobs) => {
    const sums = await Promise.all(Array.from({ length: 200 }, (_, k) => jobs.run(work.add, k, 1)));
    const made = await jobs.run(work.useMade, 5);
    const cells = shared(Int32Array, 2);
    const job = failure(jobs.run(work.until, cells));
    while (cells[1] === 0) await jobs.run(work.add, 1, 1);
    for (const each of workers.splice(0)) each.terminate();
    const death = await job;
    const limit = await failure(jobs.spawn(work.until, shared(Int32Array, 2)).with({ timeout: 20, kill: true }));
    return [sums.length, made, death, limit, await jobs.spawn(work.add, 1, 2).with({ on: "main" })];
  });
}

/** A long time in which nothing is to be done, with timers open on the workers. */
export function idle(milliseconds) {
  return withSystem({}, async (jobs) => {
    await Promise.all([jobs.run(work.leaveOpen), jobs.run(work.leaveOpen)]);
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return Promise.all(Array.from({ length: 50 }, () => jobs.run(work.chained, 4)));
  });
}
