/** Every interleaving of the parts of public channels and wait groups; and their units. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Words } from "../../dist/sync/words.js";
import { explore, type Outcome, type Program } from "./support/explore.js";
import { countdown, gate, messageQueue, mutant } from "./support/library.js";

type Queue = InstanceType<typeof messageQueue.MessageQueue>;
type QueueClass = typeof messageQueue.MessageQueue;
type GateClass = typeof gate.Gate;

const { NONE_NOW, SHUT } = messageQueue;
const ROOM = 0;
const MESSAGES = 1;
const BASE = 16;
const CELL_WORDS = 2;

const wordsOf = (i32: Int32Array): Words => ({ i32, reach: () => {} });
const sizeFor = (capacity: number) => BASE + messageQueue.queueWords(capacity, CELL_WORDS);

/** Sends `value` once. @returns whether it could, or SHUT */
function put(queue: Queue, words: Words, value: number): boolean | number {
  const cell = queue.claim();
  if (cell < 0) return cell === SHUT ? SHUT : false;
  words.i32[cell + 1] = value;
  queue.publish(cell);
  return true;
}

/** Takes a message, if there is one. */
function get(queue: Queue, words: Words): number | undefined {
  const cell = queue.take();
  if (cell === NONE_NOW) return undefined;
  const value = words.i32[cell + 1];
  queue.release(cell);
  return value;
}

function rest(memory: Int32Array, capacity: number): number[] {
  const words = wordsOf(memory);
  const queue = new messageQueue.MessageQueue(words, BASE, capacity, CELL_WORDS);
  const left: number[] = [];
  for (let value = get(queue, words); value !== undefined; value = get(queue, words)) left.push(value);
  return left;
}

/** Two senders, and a receiver that looks three times. */
function sendersAndReceiver(MessageQueue: QueueClass, capacity: number): Program[] {
  const sender = (value: number) => (words: Words) =>
    put(new MessageQueue(words, BASE, capacity, CELL_WORDS), words, value) === true ? [value] : [];
  const receiver = (words: Words) => {
    const queue = new MessageQueue(words, BASE, capacity, CELL_WORDS);
    return [get(queue, words), get(queue, words), get(queue, words)].filter((value) => value !== undefined);
  };
  return [sender(10), sender(20), receiver];
}

/** The programs but the last give what they sent, the last what it got. */
function checkAll(capacity: number): (outcome: Outcome) => void {
  return ({ memory, results }) => {
    const lists = results as number[][];
    const got = [...lists[lists.length - 1], ...rest(memory, capacity)];
    assert.deepEqual(got.sort(), lists.slice(0, -1).flat().sort());
  };
}

for (const capacity of [1, 2]) {
  test(`message queue of ${capacity}: two senders and a receiver lose and double nothing`, () => {
    const programs = sendersAndReceiver(messageQueue.MessageQueue, capacity);
    const { states, ends } = explore(sizeFor(capacity), programs, checkAll(capacity));
    console.log(`message queue of ${capacity}, 2+1: ${states} states, ${ends} ends`);
  });
}

/** A sender of two messages and two receivers of one. */
function senderAndReceivers(MessageQueue: QueueClass): Program[] {
  const receiver = (words: Words) => get(new MessageQueue(words, BASE, 2, CELL_WORDS), words);
  const sender = (words: Words) => {
    const queue = new MessageQueue(words, BASE, 2, CELL_WORDS);
    return [put(queue, words, 1), put(queue, words, 2)];
  };
  return [sender, receiver, receiver];
}

function checkReceivers({ memory, results }: Outcome): void {
  assert.deepEqual(results[0], [true, true]);
  const got = [results[1], results[2]].filter((value) => value !== undefined) as number[];
  assert.deepEqual([...got.sort(), ...rest(memory, 2)], [1, 2]);
}

test("message queue: two receivers take each message once, the oldest first", () => {
  explore(sizeFor(2), senderAndReceivers(messageQueue.MessageQueue), checkReceivers);
});

/** A sender, one that closes the queue and then tries to send, and a receiver. */
function closing(MessageQueue: QueueClass): Program[] {
  return [
    (words) => put(new MessageQueue(words, BASE, 2, CELL_WORDS), words, 5),
    (words) => {
      const queue = new MessageQueue(words, BASE, 2, CELL_WORDS);
      queue.close();
      return put(queue, words, 6);
    },
    (words) => get(new MessageQueue(words, BASE, 2, CELL_WORDS), words),
  ];
}

function checkClosed({ memory, results }: Outcome): void {
  assert.equal(results[1], SHUT);
  const got = [...[results[2] as number | undefined].filter((value) => value !== undefined), ...rest(memory, 2)];
  assert.deepEqual(got, results[0] === true ? [5] : []);
  assert.ok(new messageQueue.MessageQueue(wordsOf(memory), BASE, 2, CELL_WORDS).drained);
}

test("message queue: what was claimed before close is received, nothing is sent after it", () => {
  explore(sizeFor(2), closing(messageQueue.MessageQueue), checkClosed);
});

test("message queue: a mutant whose close overwrites a racing claim is caught", async () => {
  const { MessageQueue } = await mutant<typeof messageQueue>(
    "message-queue",
    "Atomics.or(this.#words.i32, this.#base + TAIL, CLOSED)",
    "Atomics.store(this.#words.i32, this.#base + TAIL, Atomics.load(this.#words.i32, this.#base + TAIL) | CLOSED)",
  );
  assert.throws(() => explore(sizeFor(2), closing(MessageQueue), checkClosed), assert.AssertionError);
});

test("message queue: a mutant whose receivers do not settle who takes is caught", async () => {
  const { MessageQueue } = await mutant<typeof messageQueue>(
    "message-queue",
    "Atomics.compareExchange(i32, word, head, this.#after(head)) === head",
    "Atomics.store(i32, word, this.#after(head)) !== -1",
  );
  assert.throws(() => explore(sizeFor(2), senderAndReceivers(MessageQueue), checkReceivers), assert.AssertionError);
});

test("message queue: a mutant that shows a claimed cell at once is caught", async () => {
  const { MessageQueue } = await mutant<typeof messageQueue>(
    "message-queue",
    "this.#after(position) << 1) === tail)",
    "this.#after(position) << 1) === tail && Atomics.store(i32, cell, 2 * lap + 1) > 0)",
  );
  assert.throws(() => explore(sizeFor(2), sendersAndReceiver(MessageQueue, 2), checkAll(2)), assert.AssertionError);
});

/** Announces, looks again, sleeps, as the public channel does. */
function block<R>(at: InstanceType<GateClass>, attempt: () => R | undefined): R {
  for (;;) {
    const key = at.announce();
    const result = attempt();
    if (result !== undefined) return result;
    at.sleep(key);
  }
}

/** Sends `values` through a queue of one place, blocking, and closes it. */
function blockingSender(Gate: GateClass, values: readonly number[], closes: boolean): Program {
  return (words) => {
    const queue = new messageQueue.MessageQueue(words, BASE, 1, CELL_WORDS);
    const room = new Gate(words, ROOM);
    const messages = new Gate(words, MESSAGES);
    const sent: number[] = [];
    for (const value of values) {
      const outcome = block(room, () => put(queue, words, value) || undefined);
      if (outcome === SHUT) break;
      sent.push(value);
      messages.notify();
    }
    if (closes) {
      queue.close();
      room.notify();
      messages.notify();
    }
    return sent;
  };
}

/** Receives, blocking, until the queue is closed and drained, or `most` messages. */
function blockingReceiver(Gate: GateClass, most = 9): Program {
  return (words) => {
    const queue = new messageQueue.MessageQueue(words, BASE, 1, CELL_WORDS);
    const room = new Gate(words, ROOM);
    const messages = new Gate(words, MESSAGES);
    const got: number[] = [];
    while (got.length < most) {
      const value = block(messages, () => get(queue, words) ?? (queue.drained ? SHUT : undefined));
      if (value === SHUT) break;
      got.push(value);
      room.notify();
    }
    return got;
  };
}

function checkInOrder({ results }: Outcome): void {
  assert.deepEqual(results[1], results[0]);
}

test("gates: a blocking sender and a blocking receiver lose no wake, to the end", () => {
  const programs = [blockingSender(gate.Gate, [1, 2], true), blockingReceiver(gate.Gate)];
  const { states, ends } = explore(sizeFor(1), programs, checkInOrder);
  console.log(`gates 1+1: ${states} states, ${ends} ends`);
});

test("gates: two blocked receivers both learn that the channel was closed", () => {
  const start = new Int32Array(sizeFor(1));
  put(new messageQueue.MessageQueue(wordsOf(start), BASE, 1, CELL_WORDS), wordsOf(start), 1);
  const closer = blockingSender(gate.Gate, [], true);
  const programs = [closer, blockingReceiver(gate.Gate), blockingReceiver(gate.Gate)];
  const { states, ends } = explore(start, programs, ({ results }) => {
    assert.deepEqual((results as number[][]).flat(), [1]);
  });
  console.log(`gates 1+2: ${states} states, ${ends} ends`);
});

test("gates: two blocked senders, one receiver", () => {
  const programs = [
    blockingSender(gate.Gate, [1], false),
    blockingSender(gate.Gate, [2], false),
    blockingReceiver(gate.Gate, 2),
  ];
  const { states, ends } = explore(sizeFor(1), programs, ({ results }) => {
    assert.deepEqual((results[2] as number[]).sort(), [1, 2]);
  });
  console.log(`gates 2+1: ${states} states, ${ends} ends`);
});

const GATE_MUTANTS = [
  [
    "that does not announce itself",
    "Atomics.or(this.#words.i32, this.#word, 1) | 1",
    "Atomics.load(this.#words.i32, this.#word)",
  ],
  [
    "whose notifier leaves the word as it is",
    "Atomics.compareExchange(i32, this.#word, key, (key + 1) | 0) === key",
    "true",
  ],
] as const;

for (const [what, from, to] of GATE_MUTANTS) {
  test(`gates: a mutant ${what} is caught`, async () => {
    const { Gate } = await mutant<typeof gate>("gate", from, to);
    const programs = [blockingSender(Gate, [1, 2], true), blockingReceiver(Gate)];
    assert.throws(() => explore(sizeFor(1), programs, checkInOrder), /a wake was lost/);
  });
}

type CountdownClass = typeof countdown.Countdown;

/** The memory of a countdown at `count`. */
const startingAt = (count: number) => new Int32Array([count]);

function countdownWaiter(Countdown: CountdownClass): Program {
  return (words) => {
    const count = new Countdown(words, 0);
    const { round } = count;
    while (!count.over(round)) count.sleep(round);
  };
}

const lowerOnce = (Countdown: CountdownClass) => (words: Words) => new Countdown(words, 0).lower();

test("countdown: two that lower it and two that wait: nobody waits for ever, and not too short", () => {
  const waiter = (words: Words) => {
    countdownWaiter(countdown.Countdown)(words);
    return new countdown.Countdown(words, 0).count;
  };
  const lower = lowerOnce(countdown.Countdown);
  explore(startingAt(2), [waiter, waiter, lower, lower], ({ results }) => {
    assert.deepEqual(results.slice(0, 2), [0, 0]);
    assert.deepEqual((results.slice(2) as number[]).sort(), [0, 1]);
  });
});

/** One lowers the count to zero and raises it again for good. */
function reuse(Countdown: CountdownClass): Program[] {
  const again = (words: Words) => {
    const count = new Countdown(words, 0);
    count.lower();
    count.raise(1);
    count.raise(1);
    count.lower();
  };
  // Begins in the first round, whoever comes first.
  const waiter = (words: Words) => {
    const count = new Countdown(words, 0);
    while (!count.over(0)) count.sleep(0);
  };
  return [again, waiter, waiter];
}

test("countdown: those who wait are released by a zero, though the count is raised again at once", () => {
  explore(startingAt(1), reuse(countdown.Countdown), ({ memory }) => {
    assert.equal(new countdown.Countdown(wordsOf(memory), 0).count, 1);
  });
});

test("countdown: it never goes below zero", () => {
  const lower = lowerOnce(countdown.Countdown);
  explore(startingAt(1), [lower, lower], ({ memory, results }) => {
    assert.deepEqual((results as number[]).sort(), [countdown.OUT_OF_RANGE, 0]);
    assert.equal(new countdown.Countdown(wordsOf(memory), 0).count, 0);
  });
});

test("countdown: a mutant that lowers without settling races is caught", async () => {
  const { Countdown } = await mutant<typeof countdown>(
    "countdown",
    "Atomics.compareExchange(i32, this.#word, state, next) !== state",
    "Atomics.store(i32, this.#word, next) !== next",
  );
  const lower = lowerOnce(Countdown);
  assert.throws(() => explore(startingAt(2), [countdownWaiter(Countdown), lower, lower], () => {}), /a wake was lost/);
});

test("countdown: a mutant that does not look at the round is caught", async () => {
  const { Countdown } = await mutant<typeof countdown>("countdown", " || state >>> COUNT_BITS !== round", "");
  assert.throws(() => explore(startingAt(1), reuse(Countdown), () => {}), /a wake was lost/);
});

const shared = (size: number) => wordsOf(new Int32Array(new SharedArrayBuffer(size * 4)));

test("message queue: first-in first-out for any capacity, full, empty and over the end of the positions", () => {
  const HEAD = BASE;
  const TAIL = BASE + 16;
  const CELLS = BASE + 32;
  for (const capacity of [1, 2, 3, 5, 1000]) {
    const words = shared(sizeFor(capacity));
    const laps = Math.floor(2 ** 30 / capacity);
    // A few positions before they start again from 0, with every cell free for the last lap.
    words.i32[HEAD] = (laps - 1) * capacity;
    words.i32[TAIL] = words.i32[HEAD] * 2;
    for (let k = 0; k < capacity; k++) words.i32[CELLS + k * CELL_WORDS] = 2 * (laps - 1);
    const queue = new messageQueue.MessageQueue(words, BASE, capacity, CELL_WORDS);
    for (let lap = 0; lap < 4; lap++) {
      assert.equal(get(queue, words), undefined);
      for (let k = 0; k < capacity; k++) assert.equal(put(queue, words, lap + k), true);
      assert.equal(put(queue, words, -1), false);
      for (let k = 0; k < capacity; k++) assert.equal(get(queue, words), lap + k);
    }
    assert.ok(words.i32[HEAD] <= 3 * capacity, "the positions have started again");
    queue.close();
    assert.equal(put(queue, words, 1), SHUT);
    assert.ok(queue.drained);
  }
});

test("countdown: rounds start again from 0, and the count has its limits", () => {
  const count = new countdown.Countdown(shared(1), 0);
  for (let round = 0; round < 3000; round++) {
    const before = count.round;
    assert.equal(before, round % 1024);
    count.raise(2);
    assert.equal(count.lower(), 1);
    assert.ok(!count.over(before));
    assert.equal(count.lower(), 0);
    assert.equal(count.count, 0);
  }
  assert.equal(count.raise(countdown.MOST), countdown.MOST);
  assert.equal(count.raise(1), countdown.OUT_OF_RANGE);
  assert.equal(count.count, countdown.MOST);
});
