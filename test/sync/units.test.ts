import assert from "node:assert/strict";
import test from "node:test";
import { HANGS } from "../support/hangs.js";
import { channel, deque, eventCount } from "./support/library.js";

const words = (size: number) => ({ i32: new Int32Array(new SharedArrayBuffer(size * 4)), reach: () => {} });

test("channel: first-in first-out through many laps, full and empty", () => {
  const { Channel, EMPTY, FULL, SENT, channelWords } = channel;
  const both = new Channel(words(channelWords(4)), 0, 4);
  assert.equal(both.receive(), EMPTY);
  for (let lap = 0; lap < 1000; lap++) {
    for (let k = 0; k < 4; k++) assert.equal(both.send(lap + k), SENT);
    assert.equal(both.send(99), FULL);
    for (let k = 0; k < 4; k++) assert.equal(both.receive(), lap + k);
    assert.equal(both.receive(), EMPTY);
  }
});

test("channel: a batch is at most half of what is there, and at most the limit", () => {
  const { Channel, channelWords } = channel;
  const both = new Channel(words(channelWords(16)), 0, 16);
  for (let k = 0; k < 11; k++) both.send(k);
  const out = new Int32Array(16);
  assert.equal(both.receiveMany(out, 64), 6);
  assert.deepEqual([...out.subarray(0, 6)], [0, 1, 2, 3, 4, 5]);
  assert.equal(both.receiveMany(out, 2), 2);
  assert.equal(both.receiveMany(out, 64), 2);
  assert.equal(both.receiveMany(out, 64), 1);
  assert.equal(both.receiveMany(out, 64), 0);
});

test("channel: positions wrap around at 2^31", () => {
  const { Channel, channelWords } = channel;
  const memory = words(channelWords(4));
  const near = 2 ** 31 - 4;
  memory.i32[0] = near;
  memory.i32[16] = near << 1;
  for (let k = 0; k < 4; k++) memory.i32[32 + 2 * k] = near;
  const both = new Channel(memory, 0, 4);
  for (let value = 0; value < 20; value++) {
    assert.equal(both.send(value), channel.SENT);
    assert.equal(both.send(value + 100), channel.SENT);
    assert.equal(both.receive(), value);
    assert.equal(both.receive(), value + 100);
  }
});

test("channel: closed, it gives what it has and takes no more; capacities are checked", () => {
  const { Channel, EMPTY, SHUT, channelWords } = channel;
  const both = new Channel(words(channelWords(2)), 0, 2);
  both.send(1);
  both.close();
  assert.equal(both.send(2), SHUT);
  assert.equal(both.drained, false);
  assert.equal(both.receive(), 1);
  assert.equal(both.receive(), EMPTY);
  assert.equal(both.drained, true);
  for (const bad of [0, 1, 3, 2 ** 27]) assert.throws(() => new Channel(words(8), 0, bad), /capacity must be/);
});

test("deque: the owner takes the newest, thieves the oldest, while the array grows", () => {
  const { Deque, NOTHING } = deque;
  const memory = words(100_000);
  let next = 1024;
  const own = new Deque(memory, 0, (size) => {
    next += size;
    return next - size;
  });
  const thief = new Deque(memory, 0, () => 0);
  assert.equal(own.pop(), NOTHING);
  assert.equal(thief.steal(), NOTHING);
  for (let item = 1; item <= 10_000; item++) assert.ok(own.append(item));
  assert.equal(thief.steal(), NOTHING, "nothing is seen before it is published");
  own.publish();
  assert.equal(thief.peek(), 1);
  for (let k = 1; k <= 3000; k++) {
    assert.equal(thief.steal(), k);
    assert.equal(own.pop(), 10_001 - k);
  }
  const out = new Int32Array(64);
  assert.equal(thief.stealMany(out, 64), 64);
  assert.equal(out[0], 3001);
  for (let item = own.pop(), last = 7001; item !== NOTHING; item = own.pop()) assert.equal(item, --last);
  assert.ok(thief.empty);
});

test("deque: without memory it refuses and keeps what it has", () => {
  const { Deque } = deque;
  const memory = words(3000);
  let given = false;
  const own = new Deque(memory, 0, () => {
    if (given) return 0;
    given = true;
    return 1024;
  });
  for (let item = 1; item <= 1024; item++) assert.ok(own.append(item));
  assert.equal(own.append(1025), false);
  own.publish();
  for (let item = 1024; item >= 1; item--) assert.equal(own.pop(), item);
});

test("event count: who is woken, by what", () => {
  const { AWAKE, EventCount, LISTENING, URGENT, WAITING } = eventCount;
  const memory = words(200);
  const events = new EventCount(memory, 0, 3);
  const stateOf = (thread: number) => memory.i32[events.wordOf(thread)];
  assert.equal(events.notifyOne(), false);
  assert.equal(events.notify(1), false);
  events.prepare(0, LISTENING);
  events.prepare(1, URGENT);
  assert.equal(events.notifyOne(), false, "listeners are not for work");
  assert.equal(events.notify(1), false, "not urgent");
  assert.equal(events.notify(1, true), true);
  assert.equal(events.notify(0), true);
  events.prepare(2);
  assert.equal(stateOf(2), WAITING);
  assert.equal(events.sleepers, 1);
  assert.equal(events.notifyOne(), true);
  assert.equal(stateOf(2), AWAKE);
  assert.equal(events.sleepers, 0);
  events.commit(2);
  assert.equal(events.startSearch(1), false, "the woken thread searches");
  events.endSearch();
  events.prepare(2);
  assert.equal(events.startSearch(1), true);
  assert.equal(events.notifyOne(), false, "the searcher will find it");
  events.endSearch();
  assert.equal(events.cancel(2), false);
  events.prepare(2);
  events.notifyAll();
  assert.equal(events.cancel(2), true, "a notifier was faster");
  assert.equal(memory.i32[0], 0, "nobody sleeps or searches");
});

test("event count: threads whose event loop turns are woken where none is blocked, all of them, and none counts as searching", () => {
  const { AWAKE, EventCount, TURNING } = eventCount;
  const memory = words(200);
  const events = new EventCount(memory, 0, 3);
  const stateOf = (thread: number) => memory.i32[events.wordOf(thread)];
  events.prepare(0, TURNING);
  events.prepare(1, TURNING);
  events.prepare(2);
  assert.equal(events.sleepers, 3);
  assert.equal(events.notifyOne(), true);
  assert.deepEqual([0, 1, 2].map(stateOf), [TURNING, TURNING, AWAKE], "who goes on at once is preferred");
  events.endSearch();
  assert.equal(events.notifyOne(), true);
  assert.deepEqual([0, 1].map(stateOf), [AWAKE, AWAKE], "either may be in the midst of other code");
  assert.equal(memory.i32[0], 0, "nobody sleeps or searches");
  events.prepare(0, TURNING);
  assert.equal(events.cancel(0, TURNING), false);
  events.prepare(1, TURNING);
  events.notifyAll();
  assert.equal(events.cancel(1, TURNING), true, "a notifier was faster");
  assert.equal(memory.i32[0], 0, "nobody sleeps or searches");
});

test("event count: an asynchronous sleep lasts until the thread is notified", HANGS, async () => {
  const { EventCount, LISTENING, TURNING } = eventCount;
  const events = new EventCount(words(200), 0, 2);
  events.prepare(1, LISTENING);
  let awake = false;
  const sleeping = events.commitAsync(1, LISTENING).then(() => {
    awake = true;
  });
  events.prepare(0);
  assert.equal(events.notify(0), true);
  events.endSearch();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(awake, false, "that was for another thread");
  assert.equal(events.notify(1), true);
  await sleeping;
  events.prepare(1, TURNING);
  assert.equal(events.notifyOne(), true);
  await events.commitAsync(1);
  assert.equal(events.sleepers, 0, "a wake before the sleep is not lost");
});
