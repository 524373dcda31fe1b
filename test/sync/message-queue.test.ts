/** The parts of public channels and wait groups on one thread; for all their interleavings see test/model. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Words } from "../../dist/sync/words.js";
import { countdown, messageQueue } from "./support/library.js";

type Queue = InstanceType<typeof messageQueue.MessageQueue>;

const { NONE_NOW, SHUT } = messageQueue;
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
