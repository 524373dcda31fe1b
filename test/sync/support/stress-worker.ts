/** One thread of a stress test: does its part on the shared words and posts what it has seen. */
import { parentPort, workerData } from "node:worker_threads";
import { channel, deque, eventCount, memoryLayout, memoryMemory, memoryPool } from "./library.js";

export interface Part {
  readonly role: "send" | "receive" | "own" | "steal" | "produce" | "consume" | "pool";
  readonly buffer: SharedArrayBuffer;
  readonly me: number;
  readonly count: number;
}

const part = workerData as Part;
const i32 = new Int32Array(part.buffer, 0, Math.floor(part.buffer.byteLength / 4));
const words = { i32, reach: () => {} };

/** Words that belong to the tests, before the structures at BASE. */
export const PRODUCED = 0;
export const TAKEN = 1;
export const DONE = 2;
const BASE = 64;
const TALLY = 8_000_000;

/** Gives the machine to others, as more threads run than there are cores. */
function rest(): void {
  Atomics.wait(i32, 3, 0, 0.01);
}

function send(): number {
  const to = new channel.Channel(words, BASE, 64);
  for (let k = 0; k < part.count; k++) while (to.send(part.me * part.count + k) !== channel.SENT) rest();
  return part.count;
}

/** Takes values one by one and in batches; sees that each sender's come in order. */
function receive(): number {
  const from = new channel.Channel(words, BASE, 64);
  const out = new Int32Array(16);
  const last = new Map<number, number>();
  let received = 0;
  while (!from.drained) {
    let got = 0;
    if (part.me % 2 === 0) {
      got = from.receiveMany(out, 16);
    } else {
      out[0] = from.receive();
      got = out[0] === channel.EMPTY ? 0 : 1;
    }
    if (got === 0) rest();
    for (let k = 0; k < got; k++) {
      const sender = Math.floor(out[k] / part.count);
      if ((last.get(sender) ?? -1) >= out[k]) throw new Error(`${out[k]} came after ${last.get(sender)}`);
      last.set(sender, out[k]);
      Atomics.add(i32, TALLY + out[k], 1);
      received++;
    }
  }
  return received;
}

/** Pushes in bursts, so that the array grows, and pops some itself. */
function own(): number {
  let next = 1_000_000;
  const deq = new deque.Deque(words, BASE, (size) => {
    next += size;
    return next - size;
  });
  let taken = 0;
  for (let item = 1; item <= part.count; ) {
    for (let k = (item % 5000) + 1; k > 0 && item <= part.count; k--) deq.append(item++);
    deq.publish();
    for (let k = item % 3000; k > 0; k--) {
      const popped = deq.pop();
      if (popped === deque.NOTHING) break;
      Atomics.add(i32, TALLY + popped, 1);
      taken++;
    }
  }
  for (let item = deq.pop(); item !== deque.NOTHING; item = deq.pop()) {
    Atomics.add(i32, TALLY + item, 1);
    taken++;
  }
  Atomics.store(i32, DONE, 1);
  return taken;
}

function steal(): number {
  const deq = new deque.Deque(words, BASE, () => 0);
  let taken = 0;
  for (;;) {
    const done = Atomics.load(i32, DONE) === 1;
    const item = deq.steal();
    if (item !== deque.NOTHING) {
      Atomics.add(i32, TALLY + item, 1);
      taken++;
    } else if (done) {
      return taken;
    }
  }
}

/** Produces tokens one by one, waking a consumer for each. */
function produce(): number {
  const events = new eventCount.EventCount(words, BASE, 8);
  for (let k = 0; k < part.count; k++) {
    Atomics.add(i32, PRODUCED, 1);
    events.notifyOne();
  }
  Atomics.add(i32, DONE, 1);
  events.notifyAll();
  return part.count;
}

/** Takes tokens, and sleeps whenever there is none. */
function consume(): number {
  const events = new eventCount.EventCount(words, BASE, 8);
  const producers = part.count;
  let taken = 0;
  const available = () => Atomics.load(i32, PRODUCED) > Atomics.load(i32, TAKEN);
  for (;;) {
    const token = Atomics.load(i32, TAKEN);
    if (Atomics.load(i32, PRODUCED) > token) {
      if (Atomics.compareExchange(i32, TAKEN, token, token + 1) === token) taken++;
      continue;
    }
    events.prepare(part.me);
    if (available()) events.cancel(part.me);
    else if (Atomics.load(i32, DONE) === producers) {
      events.cancel(part.me);
      return taken;
    } else {
      events.commit(part.me);
      events.endSearch();
    }
  }
}

/** Takes and gives cells; a mark in each tells if two threads ever hold the same. */
function pool(): number {
  const layout = memoryLayout.layoutFor(4, 100_000);
  const memory = memoryMemory.Memory.attach(part.buffer, layout);
  const cells = new memoryPool.Pool(memory, part.me, memoryLayout.POOL_SLOTS, layout.slotLimit);
  const mark = memoryLayout.S_PINS;
  const held: number[] = [];
  let random = part.me + 1;
  for (let k = 0; k < part.count; k++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    if (random % 1000 < 505 && held.length < 20_000) {
      const cell = cells.take();
      if (cell === 0) continue;
      if (Atomics.exchange(memory.i32, cell + mark, 1) !== 0) throw new Error(`cell ${cell} is held twice`);
      held.push(cell);
    } else if (held.length > 0) {
      const [cell] = held.splice(random % held.length, 1, held[held.length - 1]);
      held.pop();
      Atomics.store(memory.i32, cell + mark, 0);
      cells.give(cell);
    }
  }
  return held.length;
}

const roles = { send, receive, own, steal, produce, consume, pool };
parentPort?.postMessage(roles[part.role]());
