import assert from "node:assert/strict";
import test from "node:test";
import type { Words } from "../../dist/sync/words.js";
import { type Exploration, explore, type Outcome, type Program } from "./support/explore.js";
import { channel, deque, eventCount, mutant } from "./support/library.js";

/** Where structures lie, and a flag word that belongs to nobody. */
const BASE = 16;
const FLAG = 0;

function report(what: string, { states, ends }: Exploration): void {
  console.log(`${what}: ${states} states, ${ends} ends`);
}

type ChannelClass = typeof channel.Channel;
const CHANNEL_WORDS = BASE + 36;

/** Two senders and a receiver that looks four times. */
function sendersAndReceiver(Channel: ChannelClass): Program[] {
  const sender = (value: number) => (words: Words) => new Channel(words, BASE, 2).send(value);
  const receiver = (words: Words) => {
    const from = new Channel(words, BASE, 2);
    return [from.receive(), from.receive(), from.receive()];
  };
  return [sender(10), sender(20), receiver];
}

function checkSent(Channel: ChannelClass): (outcome: Outcome) => void {
  return ({ memory, results }) => {
    const rest = new Channel({ i32: memory, reach: () => {} }, BASE, 2);
    const got = [...(results[2] as number[]), rest.receive(), rest.receive()].filter((value) => value !== -1);
    assert.deepEqual(
      got.sort((a, b) => a - b),
      [10, 20],
    );
  };
}

test("channel: two senders and a receiver lose and double nothing", () => {
  report("channel 2+1", explore(CHANNEL_WORDS, sendersAndReceiver(channel.Channel), checkSent(channel.Channel)));
});

test("channel: a sender into a full channel, a batch receiver and a receiver", () => {
  const { Channel, SENT } = channel;
  const programs: Program[] = [
    (words) => {
      const to = new Channel(words, BASE, 2);
      return [1, 2, 3].map((value) => to.send(value));
    },
    (words) => {
      const out = new Int32Array(2);
      const count = new Channel(words, BASE, 2).receiveMany(out, 2);
      return [...out.subarray(0, count)];
    },
    (words) => [new Channel(words, BASE, 2).receive()].filter((value) => value !== -1),
  ];
  report(
    "channel full",
    explore(CHANNEL_WORDS, programs, ({ memory, results }) => {
      const sent = [1, 2, 3].filter((_, k) => (results[0] as number[])[k] === SENT);
      const rest = new Channel({ i32: memory, reach: () => {} }, BASE, 2);
      const left = [rest.receive(), rest.receive()].filter((value) => value !== -1);
      const got = [...(results[1] as number[]), ...(results[2] as number[]), ...left];
      assert.deepEqual(
        got.sort((a, b) => a - b),
        sent,
      );
    }),
  );
});

test("channel: what was sent before close is received, nothing is sent after it", () => {
  const { Channel, SENT, SHUT } = channel;
  const programs: Program[] = [
    (words) => new Channel(words, BASE, 2).send(5),
    (words) => {
      const closing = new Channel(words, BASE, 2);
      closing.close();
      return closing.send(6);
    },
    (words) => new Channel(words, BASE, 2).receive(),
  ];
  report(
    "channel close",
    explore(CHANNEL_WORDS, programs, ({ memory, results }) => {
      assert.equal(results[1], SHUT);
      const rest = new Channel({ i32: memory, reach: () => {} }, BASE, 2);
      const got = [results[2], rest.receive()].filter((value) => value !== -1);
      assert.deepEqual(got, results[0] === SENT ? [5] : []);
      assert.ok(rest.drained);
    }),
  );
});

test("channel: a mutant that publishes the turn before the value is caught", async () => {
  const { Channel } = await mutant<typeof channel>(
    "channel",
    "i32[cell + 1] = value;",
    "Atomics.store(i32, cell, lap + 1); i32[cell + 1] = value;",
  );
  assert.throws(() => explore(CHANNEL_WORDS, sendersAndReceiver(Channel), checkSent(Channel)), assert.AssertionError);
});

type DequeClass = typeof deque.Deque;
const ARRAY = 64;
const DEQUE_WORDS = ARRAY + 1024;

/** An owner that pushes two items and pops twice, and thieves that steal once. */
function ownerAndThieves(Deque: DequeClass, thieves: number): Program[] {
  const owner = (words: Words) => {
    const own = new Deque(words, BASE, () => ARRAY);
    own.append(7);
    own.append(8);
    own.publish();
    return [own.pop(), own.pop()];
  };
  const thief = (words: Words) => [new Deque(words, BASE, () => 0).steal()];
  return [owner, ...Array.from({ length: thieves }, () => thief)];
}

function checkTaken({ results }: Outcome): void {
  const taken = (results as number[][]).flat().filter((item) => item !== 0);
  assert.deepEqual(taken.sort(), [7, 8]);
}

for (const thieves of [1, 2]) {
  test(`deque: an owner and ${thieves} thieves take each item once`, () => {
    report(`deque 1+${thieves}`, explore(DEQUE_WORDS, ownerAndThieves(deque.Deque, thieves), checkTaken));
  });
}

test("deque as a queue: an owner that appends and two thieves that take batches", () => {
  const { Deque } = deque;
  const thief = (words: Words) => {
    const out = new Int32Array(4);
    const count = new Deque(words, BASE, () => 0).stealMany(out, 4);
    return [...out.subarray(0, count)];
  };
  const owner = (words: Words) => {
    const own = new Deque(words, BASE, () => ARRAY);
    for (const item of [1, 2, 3]) own.append(item);
    own.publish();
    own.append(4);
    own.publish();
    return [];
  };
  report(
    "deque queue",
    explore(DEQUE_WORDS, [owner, thief, thief], ({ memory, results }) => {
      const left: number[] = [];
      const rest = new Deque({ i32: memory, reach: () => {} }, BASE, () => 0);
      for (let item = rest.steal(); item !== 0; item = rest.steal()) left.push(item);
      assert.deepEqual([...(results as number[][]).flat(), ...left].sort(), [1, 2, 3, 4]);
    }),
  );
});

test("deque: a mutant whose owner takes the last item without asking is caught", async () => {
  const { Deque } = await mutant<typeof deque>(
    "deque",
    "if (Atomics.compareExchange(i32, this.#base + TOP, top, (top + 1) | 0) !== top)",
    "Atomics.store(i32, this.#base + TOP, (top + 1) | 0);\n            if (false)",
  );
  assert.throws(() => explore(DEQUE_WORDS, ownerAndThieves(Deque, 1), checkTaken), assert.AssertionError);
});

type EventCountClass = typeof eventCount.EventCount;
const EVENT_WORDS = BASE + 16 * 5;

/** Sleeps until its flag is set: announce, look, sleep. Passes a wake on if the flag of another is set too. */
function waiter(EventCount: EventCountClass, me: number, flag: number, threads: number, other = -1): Program {
  return (words) => {
    const events = new EventCount(words, BASE, threads);
    while (Atomics.load(words.i32, flag) === 0) {
      events.prepare(me);
      if (Atomics.load(words.i32, flag) !== 0) events.cancel(me);
      else {
        events.commit(me);
        events.endSearch();
      }
    }
    if (other >= 0 && Atomics.load(words.i32, other) !== 0) events.notifyOne();
  };
}

function notifier(EventCount: EventCountClass, flags: readonly number[], threads: number, target = -1): Program {
  return (words) => {
    const events = new EventCount(words, BASE, threads);
    for (const flag of flags) Atomics.store(words.i32, flag, 1);
    for (const _ of flags) {
      if (target >= 0) events.notify(target);
      else events.notifyOne();
    }
  };
}

const sleepersAreZero = ({ memory }: Outcome) => assert.equal(memory[BASE], 0);

test("event count: no wake is lost between one waiter and one notifier", () => {
  const { EventCount } = eventCount;
  const programs = [waiter(EventCount, 0, FLAG, 1), notifier(EventCount, [FLAG], 1)];
  report("event count 1+1", explore(EVENT_WORDS, programs, sleepersAreZero));
});

test("event count: two waiters, one notifier that wakes twice", () => {
  const { EventCount } = eventCount;
  const programs = [
    waiter(EventCount, 0, FLAG, 2, FLAG + 1),
    waiter(EventCount, 1, FLAG + 1, 2, FLAG),
    notifier(EventCount, [FLAG, FLAG + 1], 2),
  ];
  report("event count 2+1", explore(EVENT_WORDS, programs, sleepersAreZero));
});

test("event count: a wake for one thread, against one for any", () => {
  const { EventCount } = eventCount;
  const programs = [
    waiter(EventCount, 0, FLAG, 2),
    notifier(EventCount, [FLAG], 2, 0),
    (words: Words) => {
      new EventCount(words, BASE, 2).notifyOne();
    },
  ];
  report("event count targeted", explore(EVENT_WORDS, programs, sleepersAreZero));
});

test("event count: a mutant that takes a late notification for its own wake is caught", async () => {
  const { EventCount } = await mutant<typeof eventCount>(
    "event-count",
    "Atomics.load(i32, word) === state);\n        return true;",
    "false);\n        return true;",
  );
  const wakeAny = (words: Words) => {
    new EventCount(words, BASE, 2).notifyOne();
  };
  const programs = [waiter(EventCount, 0, FLAG, 2), notifier(EventCount, [FLAG], 2, 0), wakeAny];
  assert.throws(() => explore(EVENT_WORDS, programs, sleepersAreZero), assert.AssertionError);
});

test("event count: a mutant whose notifier misreads the number of sleepers is caught", async () => {
  const { EventCount } = await mutant<typeof eventCount>(
    "event-count",
    "if (counts === 0 || counts >= SEARCHER)",
    "if (counts !== 1)",
  );
  const programs = [
    waiter(EventCount, 0, FLAG, 2, FLAG + 1),
    waiter(EventCount, 1, FLAG + 1, 2, FLAG),
    notifier(EventCount, [FLAG, FLAG + 1], 2),
  ];
  assert.throws(() => explore(EVENT_WORDS, programs, sleepersAreZero), /a wake was lost/);
});
