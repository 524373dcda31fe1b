/** Loops inside loops, which note how often a job waits inside another one on the same stack. */
import { type Channel, type Job, type JobOptions, WaitGroup } from "heddle";
import { group, run, spawn } from "heddle/job";

/** How many calls of `loopBy…` functions here are on this thread's stack. */
function depth(): number {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 10_000;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = before;
  return stack.split("at loopBy").length - 1;
}

/** Works for a while; or notes the depth, if it is the greatest so far. */
export function leaf(deepest: Int32Array, work: number): number {
  let sum = 0;
  for (let k = 0; k < work; k++) sum += k;
  if (work === 0) {
    const now = depth();
    let before = Atomics.load(deepest, 0);
    while (now > before) {
      const found = Atomics.compareExchange(deepest, 0, before, now);
      if (found === before) break;
      before = found;
    }
  }
  return sum;
}

/** A loop of `widths[0]` jobs, each of which is a loop of the rest; by groups. */
export function loopByGroup(deepest: Int32Array, ...widths: number[]): void {
  const [width, ...inner] = widths;
  const all = group();
  for (let k = 0; k < width; k++) {
    if (inner.length === 0) all.run(leaf, deepest, k % 50);
    else all.run(loopByGroup, deepest, ...inner);
  }
  all.wait();
}

/** The same, by handles. */
export function loopByEach(deepest: Int32Array, ...widths: number[]): void {
  const [width, ...inner] = widths;
  const all: Job<unknown>[] = [];
  for (let k = 0; k < width; k++) {
    if (inner.length === 0) all.push(run(leaf, deepest, k % 50));
    else all.push(run(loopByEach, deepest, ...inner));
  }
  for (const each of all) each.wait();
}

/** The same, by a job that follows all others. */
export function loopByLast(deepest: Int32Array, ...widths: number[]): void {
  const [width, ...inner] = widths;
  const all: Job<unknown>[] = [];
  for (let k = 0; k < width; k++) {
    if (inner.length === 0) all.push(spawn(leaf, deepest, k % 50));
    else all.push(spawn(loopByLast, deepest, ...inner));
  }
  spawn(leaf, deepest, 0)
    .after(...all)
    .wait();
}

/** As `leaf`, and says that it is done. */
export function leafDone(deepest: Int32Array, work: number, done: WaitGroup): void {
  leaf(deepest, work);
  done.done();
}

/** A loop by a wait group. */
export function loopByCount(deepest: Int32Array, width: number): void {
  const done = new WaitGroup();
  done.add(width);
  for (let k = 0; k < width; k++) run(leafDone, deepest, k % 50, done);
  done.waitSync();
}

/** Waits for a job that was made elsewhere. */
export function waitForGiven(job: Job<number>): number {
  return job.wait();
}

/** Waits for a job that only the main thread runs. */
export function loopByMain(deepest: Int32Array): number {
  return spawn(leaf, deepest, 0).with({ on: "main" }).wait();
}

export async function soon(value: number): Promise<number> {
  await null;
  return value;
}

/** Waits for an asynchronous job. */
export function waitForSoon(value: number): number {
  return run(soon, value).wait();
}

/** Adds up the numbers below `n` by halves. */
export function waitForHalves(from: number, to: number): number {
  if (to - from === 1) return from;
  const middle = (from + to) >> 1;
  const left = run(waitForHalves, from, middle);
  return waitForHalves(middle, to) + left.wait();
}

/** Says that it has begun, and blocks until there is a message. */
export function receiveOne(channel: Channel<number>, begun: Int32Array): number | undefined {
  Atomics.store(begun, 0, 1);
  Atomics.notify(begun, 0);
  return channel.receiveSync().value;
}

/** Waits for a job of its own, which blocks on another thread. */
export function waitForReceiver(channel: Channel<number>, begun: Int32Array): number | undefined {
  const receiver = run(receiveOne, channel, begun);
  Atomics.wait(begun, 0, 0);
  return receiver.wait();
}

export function sendOne(channel: Channel<number>, value: number): void {
  channel.sendSync(value);
}

let waiting = 0;

/** Whether it is executed on top of a job that counts itself as waiting here. */
export function isOnTop(milliseconds: number): number {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
  return waiting > 0 ? 1 : 0;
}
export function mainLeaf(): number {
  return 1;
}
export async function later(milliseconds: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return 1;
}
function countedWait(job: Job<number>): number {
  waiting++;
  const result = job.wait();
  waiting--;
  return result;
}
/** Waits for an asynchronous job, if wanted after a job of the main thread; says by the first cell that it is about to. */
export function waitForLater(milliseconds: number, cells: Int32Array, callFirst: boolean): number {
  if (callFirst) spawn(mainLeaf).with({ on: "main" }).wait();
  Atomics.store(cells, 0, 1);
  return countedWait(run(later, milliseconds));
}
/** Keeps its thread until the second cell is set. */
export function holdUntilSet(cells: Int32Array): void {
  Atomics.store(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
}
/** Waits for children of its own, with limits or a priority. */
export function waitForChildren(cells: Int32Array, options: JobOptions): number {
  Atomics.store(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
  const children = [0, 1, 2].map((k) => spawn(give, k).with(options).schedule());
  // Others that wait may take them, and put them back.
  const end = performance.now() + 30;
  while (performance.now() < end);
  let sum = 0;
  for (const child of children) sum += countedWait(child);
  return sum;
}
export async function fillAndSpawn(cells: Int32Array): Promise<number> {
  return await run(spawnWhenFull, cells);
}
export function spawnWhenFull(cells: Int32Array): number {
  Atomics.store(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
  return run(mainLeaf).wait();
}
/** A stream of jobs and waits, until the second cell is set; says by the first that it is under way. */
export function forkUntilSet(cells: Int32Array): void {
  for (let round = 0; Atomics.load(cells, 1) === 0; round++) {
    if (round === 10) Atomics.store(cells, 0, 1);
    const children = Array.from({ length: 8 }, () => run(isOnTop, 3));
    for (const child of children.reverse()) child.wait();
  }
}
export function waitForGroup(all: WaitGroup): void {
  all.waitSync();
}
export function setAndDone(cells: Int32Array, all: WaitGroup): void {
  Atomics.store(cells, 1, 1);
  all.done();
}
export function viaMain(k: number): number {
  return spawn(viaWorker, k).with({ on: "main" }).wait();
}
export function viaWorker(k: number): number {
  return run(give, k).wait();
}
export function give(k: number): number {
  return k;
}
/** What became of its wait, which the third cell says too. */
export function noteWait(job: Job<unknown>, cells: Int32Array): void {
  Atomics.store(cells, 0, 1);
  while (Atomics.load(cells, 1) === 0);
  try {
    job.wait();
  } catch {
    Atomics.store(cells, 2, 1);
  }
}
