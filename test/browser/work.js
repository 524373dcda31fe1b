/** Job functions for a page: as they are served, without a bundler. */
import { Channel, shared, WaitGroup } from "/heddle/index.js";
import { run, spawn } from "/heddle/job.js";

export function add(a, b) {
  return a + b;
}

export function fail(message) {
  throw new RangeError(message);
}

export function tell(value) {
  postMessage(value);
}

/** The name of the thread that it runs on. */
export function who() {
  return self.name;
}

/** Tells that it runs, and goes on until somebody sets the cell. */
export function until(cells) {
  Atomics.store(cells, 1, 1);
  while (Atomics.load(cells, 0) === 0);
  return "ended";
}

export function leaveOpen() {
  setInterval(() => {}, 1);
  new MessageChannel().port1.onmessage = () => {};
}

export function end() {
  close();
}

/** What only this thread knows so far. */
export function make(length) {
  return new Int32Array(new SharedArrayBuffer(4 * length)).fill(7);
}

export function makeNested(length) {
  return { list: [make(length)] };
}

export function sum(cells) {
  return cells.reduce((total, cell) => total + cell, 0);
}

export function sumNested({ list }) {
  return sum(list[0]);
}

/** Gives what only this thread knows to jobs, and waits for them. */
export function sumThere(length) {
  const cells = make(length);
  const jobs = Array.from({ length: 20 }, () => run(sum, cells));
  return jobs.reduce((total, job) => total + job.wait(), 0);
}

/** Waits for what another thread makes: this one keeps itself busy until that has begun. */
export function waitForMade(started) {
  const job = run(makeOnOther, started);
  while (Atomics.load(started, 0) === 0);
  try {
    return sum(job.wait());
  } catch (error) {
    return error.name;
  }
}

export function makeOnOther(started) {
  Atomics.store(started, 0, 1);
  return make(3);
}

export async function awaitMade(started) {
  const job = run(makeOnOther, started);
  while (Atomics.load(started, 0) === 0);
  return sum(await job);
}

export function chained(a) {
  const first = spawn(add, a, 1);
  return first.then(spawn(add, 1, 1)).wait() + first.wait();
}

export async function later(milliseconds) {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return milliseconds;
}

/** Waits as deep inside waits as it is told. */
export function deep(levels) {
  return levels === 0 ? 0 : run(deep, levels - 1).wait() + 1;
}

/** Makes what other threads have not heard of, gives it to jobs, and blocks until they have used it. */
export function useMade(count) {
  const cells = shared(Int32Array, 1);
  const waitGroup = new WaitGroup();
  const channel = new Channel({ capacity: 2, maxBytes: 100 });
  waitGroup.add(count);
  for (let k = 0; k < count; k++) run(countAndTell, cells, waitGroup);
  waitGroup.waitSync();
  run(sendAll, channel, count);
  let sum = 0;
  for (const { k } of channel) sum += k;
  return [cells[0], sum];
}

export function countAndTell(cells, waitGroup) {
  Atomics.add(cells, 0, 1);
  waitGroup.done();
}

export function sendAll(channel, count) {
  for (let k = 1; k <= count; k++) channel.sendSync({ k });
  channel.close();
}

/** Waits for what a job makes, which this thread or another runs. */
export function waitForAny() {
  try {
    return sum(run(make, 3).wait());
  } catch (error) {
    return error.name;
  }
}
