/** One thread of a handover test: queues taken in batches, turns by targeted wakes, cells freed elsewhere. */
import { parentPort, workerData } from "node:worker_threads";
import { channel, deque, eventCount, memoryLayout, memoryMemory, memoryPool } from "./library.js";

export interface HandoverPart {
  readonly role: "fill" | "empty" | "turn" | "pass";
  /** The memory of the structure under test. */
  readonly buffer: SharedArrayBuffer;
  /** A channel from each thread to the next one, for "pass". */
  readonly links?: SharedArrayBuffer;
  readonly me: number;
  readonly threads: number;
  readonly count: number;
}

const part = workerData as HandoverPart;

/** Words that belong to the tests, before the structure at BASE. */
const DONE = 0;
const TURN = 1;
const BASE = 64;
const ARRAYS = 1024;
const TALLY = 2_000_000;
const LINK_CAPACITY = 256;

/** Any state but WAITING, so that only a `notify` of this thread ends the sleep. */
const { LISTENING } = eventCount;

const sharedWords = (buffer: SharedArrayBuffer) => ({ i32: new Int32Array(buffer), reach: () => {} });

/** Appends in bursts to a queue, so that its array grows while thieves read it. */
function fill(): number {
  const words = sharedWords(part.buffer);
  let next = ARRAYS;
  const queue = new deque.Deque(words, BASE, (size) => {
    next += size;
    return next - size;
  });
  for (let item = 1; item <= part.count; ) {
    for (let k = (item % 997) + 1; k > 0 && item <= part.count; k--) queue.append(item++);
    queue.publish();
  }
  Atomics.store(words.i32, DONE, 1);
  return 0;
}

/** Takes batches of changing size; the items that one thread takes must rise. */
function empty(): number {
  const words = sharedWords(part.buffer);
  const queue = new deque.Deque(words, BASE, () => 0);
  const out = new Int32Array(64);
  let last = 0;
  let taken = 0;
  for (;;) {
    const done = Atomics.load(words.i32, DONE) === 1;
    const got = queue.stealMany(out, 1 + (taken % 64));
    if (got === 0 && done) return taken;
    for (let k = 0; k < got; k++) {
      if (out[k] <= last) throw new Error(`${out[k]} came after ${last}`);
      last = out[k];
      Atomics.add(words.i32, TALLY + last, 1);
    }
    taken += got;
  }
}

/** Waits for its turn and wakes the next thread: every handover needs a wake of one very thread. */
function turn(): number {
  const words = sharedWords(part.buffer);
  const { i32 } = words;
  const events = new eventCount.EventCount(words, BASE, part.threads);
  let sleeps = 0;
  for (let mine = part.me; mine < part.count; mine += part.threads) {
    while (Atomics.load(i32, TURN) !== mine) {
      events.prepare(part.me, LISTENING);
      if (Atomics.load(i32, TURN) === mine) {
        events.cancel(part.me);
      } else {
        sleeps++;
        events.commit(part.me, LISTENING);
      }
    }
    Atomics.store(i32, TURN, mine + 1);
    events.notify((part.me + 1) % part.threads);
  }
  return sleeps;
}

/** Takes cells and passes them to the next thread, which frees them; a mark shows a cell held twice. */
function pass(): number {
  if (part.links === undefined) throw new Error("no links between the threads");
  const layout = memoryLayout.layoutFor(part.threads, 10_000);
  const memory = memoryMemory.Memory.attach(part.buffer, layout);
  const cells = new memoryPool.Pool(memory, part.me, memoryLayout.POOL_SLOTS, layout.slotLimit);
  const links = sharedWords(part.links);
  const linkWords = channel.channelWords(LINK_CAPACITY);
  const link = (thread: number) => new channel.Channel(links, (thread % part.threads) * linkWords, LINK_CAPACITY);
  const inward = link(part.me);
  const outward = link(part.me + 1);
  const mark = memoryLayout.S_PINS;

  const free = (cell: number, holder: number) => {
    memory.reach(cell);
    if (Atomics.compareExchange(memory.i32, cell + mark, holder, 0) !== holder)
      throw new Error(`${cell} changed hands`);
    cells.give(cell);
  };
  const freeOne = () => {
    const cell = inward.receive();
    if (cell !== channel.EMPTY) free(cell, ((part.me + part.threads - 1) % part.threads) + 1);
    return cell !== channel.EMPTY;
  };
  let passed = 0;
  for (let k = 0; k < part.count; k++) {
    const cell = cells.take();
    if (cell !== 0) {
      if (Atomics.compareExchange(memory.i32, cell + mark, 0, part.me + 1) !== 0)
        throw new Error(`${cell} is held twice`);
      if (outward.send(cell) === channel.SENT) passed++;
      else free(cell, part.me + 1);
    }
    freeOne();
  }
  outward.close();
  while (!inward.drained) freeOne();
  return passed;
}

const roles = { fill, empty, turn, pass };
parentPort?.postMessage(roles[part.role]());
