/** Job functions for the tests of channels and wait groups. */
import { Channel, type Job, type WaitGroup } from "heddle";
import { group, run } from "heddle/job";

/** Sends `from` to `from + count - 1`. */
export function produce(channel: Channel<number>, from: number, count: number): void {
  for (let k = 0; k < count; k++) channel.sendSync(from + k);
}
/** Counts each value in `tally`, and `received` in its last cell; values of one producer must rise. */
export function consume(channel: Channel<number>, tally: Int32Array, perProducer: number): number {
  const last = new Map<number, number>();
  let received = 0;
  for (const value of channel) {
    const producer = Math.floor(value / perProducer);
    if ((last.get(producer) ?? -1) >= value) throw new Error(`${value} came after ${last.get(producer)}`);
    last.set(producer, value);
    Atomics.add(tally, value, 1);
    Atomics.add(tally, tally.length - 1, 1);
    received++;
  }
  return received;
}
/** Says that it is about to wait, and waits for one message. */
export function receiveOne<T>(channel: Channel<T>, waiting: Int32Array): IteratorResult<T, undefined> {
  Atomics.add(waiting, 0, 1);
  return channel.receiveSync();
}
export function sendOne<T>(channel: Channel<T>, waiting: Int32Array, value: T): string {
  Atomics.add(waiting, 0, 1);
  try {
    channel.sendSync(value);
    return "sent";
  } catch (error) {
    return (error as Error).name;
  }
}
/** Makes a channel with a message in it. */
export function makeChannel(value: number): Channel<number> {
  const channel = new Channel({ capacity: 4 });
  channel.sendSync(value);
  return channel;
}
/** Waits for a job of another thread whose result is a channel, and receives from it. */
export function receiveFrom(job: Job<Channel<number>>): IteratorResult<number, undefined> {
  return job.wait().receiveSync();
}
/** Answers each question by its double. */
export function doubles(questions: Channel<number>, answers: Channel<number>): void {
  for (const value of questions) answers.sendSync(2 * value);
  answers.close();
}
/** Starts more producers than a stretch of submissions publishes one by one, then receives from them all. */
export function spawnAndReceive(channel: Channel<number>, producers: number): number {
  const jobs = group();
  for (let k = 0; k < producers; k++) jobs.run(produce, channel, k, 1);
  let sum = 0;
  for (let k = 0; k < producers; k++) sum += channel.receiveSync().value ?? Number.NaN;
  jobs.wait();
  return sum;
}
/** Receives in the event loop of its worker, and sends on what it gets. */
export function forwardLater(from: Channel<number>, to: Channel<number>): void {
  void (async () => {
    for await (const value of from) await to.send(value);
    to.close();
  })();
}
export function addOne(cells: Int32Array, group: WaitGroup): void {
  Atomics.add(cells, 0, 1);
  group.done();
}
export function waitFor(group: WaitGroup, cells: Int32Array): number {
  group.waitSync();
  return Atomics.load(cells, 0);
}
/** Waits in a job for jobs that it runs itself, which only a thread that waits may be left to execute. */
export function countInside(cells: Int32Array, group: WaitGroup, count: number): number {
  group.add(count);
  for (let k = 0; k < count; k++) run(addOne, cells, group);
  group.waitSync();
  return Atomics.load(cells, 0);
}
export function sameObject(first: unknown, second: unknown): boolean {
  return first === second;
}
