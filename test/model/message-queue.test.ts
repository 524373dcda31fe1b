/** The queue of messages and the gates at its ends: messages are neither lost nor doubled, and nobody waits for ever. */
import assert from "node:assert/strict";
import type { Gate } from "../../dist/sync/gate.js";
import type { MessageQueue } from "../../dist/sync/message-queue.js";
import type { Words } from "../../dist/sync/words.js";
import { catches, holds, sameNumbers } from "./support/check.js";
import { explore, type Outcome, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";

/** The words of two gates, and of the queue. */
const ROOM = 0;
const MESSAGES = 1;
const BASE = 16;
const CELL_WORDS = 2;
const RECEIVED = "received";

function queueOn({ messageQueue }: Library, words: Words, capacity: number): MessageQueue {
  return new messageQueue.MessageQueue(words, BASE, capacity, CELL_WORDS);
}

/** Sends a value, if there is room. @returns what `claim` says if not, else 0 */
function put(queue: MessageQueue, words: Words, value: number): number {
  const cell = queue.claim();
  if (cell < 0) return cell;
  words.i32[cell + 1] = value;
  queue.publish(cell);
  return 0;
}

/** Takes a value, if there is one. @returns it in an array */
function get({ messageQueue }: Library, queue: MessageQueue, words: Words): number[] {
  const cell = queue.take();
  if (cell === messageQueue.NONE_NOW) return [];
  const value = words.i32[cell + 1];
  queue.release(cell);
  return [value];
}

/** What is left in the queue. */
function left(library: Library, { words }: Outcome, capacity: number): number[] {
  const queue = queueOn(library, words, capacity);
  const values: number[] = [];
  for (let got = get(library, queue, words); got.length > 0; got = get(library, queue, words)) values.push(...got);
  return values;
}

/** Sends values once each. @returns those that were sent */
function sender(library: Library, capacity: number, values: readonly number[]): Program {
  return (words) => () => {
    const queue = queueOn(library, words, capacity);
    return values.filter((value) => put(queue, words, value) === 0);
  };
}

/** Looks a number of times. @returns the values received */
function receiver(library: Library, capacity: number, looks: number): Program {
  return (words) => () => {
    const queue = queueOn(library, words, capacity);
    return Array.from({ length: looks }, () => get(library, queue, words)).flat();
  };
}

/** Two senders and a receiver that looks three times. */
const senders = (capacity: number) => (library: Library) => {
  const programs = [sender(library, capacity, [10]), sender(library, capacity, [20]), receiver(library, capacity, 3)];
  return explore(programs, (outcome) => {
    const [first, second, got] = outcome.results as number[][];
    sameNumbers([...got, ...left(library, outcome, capacity)], [...first, ...second], RECEIVED);
  });
};

/** A sender of two values and two receivers. */
function receivers(library: Library) {
  const programs = [sender(library, 2, [1, 2]), receiver(library, 2, 1), receiver(library, 2, 1)];
  return explore(programs, (outcome) => {
    const [sent, first, second] = outcome.results as number[][];
    assert.ok(sent.length === 2, "there was no room");
    sameNumbers([...first, ...second, ...left(library, outcome, 2)], [1, 2], RECEIVED);
  });
}

function closing(library: Library) {
  const { SHUT } = library.messageQueue;
  const closer: Program = (words) => () => {
    const queue = queueOn(library, words, 2);
    queue.close();
    return put(queue, words, 6);
  };
  return explore([sender(library, 2, [5]), closer, receiver(library, 2, 1)], (outcome) => {
    const [sent, refused, got] = outcome.results as [number[], number, number[]];
    assert.ok(refused === SHUT, "sent after close");
    sameNumbers([...got, ...left(library, outcome, 2)], sent, RECEIVED);
    assert.ok(queueOn(library, outcome.words, 2).drained, "it is not drained");
  });
}

/** Announces, looks again, sleeps, as the public channel does. */
function block<R>(at: Gate, attempt: () => R | undefined): R {
  for (;;) {
    const key = at.announce();
    const result = attempt();
    if (result !== undefined) return result;
    at.sleep(key);
  }
}

/** Sends `values` through a queue of one place, blocking, and closes it. */
function blockingSender(library: Library, values: readonly number[], closes: boolean): Program {
  return (words) => () => {
    const queue = queueOn(library, words, 1);
    const room = new library.gate.Gate(words, ROOM);
    const messages = new library.gate.Gate(words, MESSAGES);
    for (const value of values) {
      block(room, () => (put(queue, words, value) === 0 ? true : undefined));
      messages.notify();
    }
    if (!closes) return;
    queue.close();
    room.notify();
    messages.notify();
  };
}

/** Receives, blocking, until the queue is closed and drained, or `most` messages. */
function blockingReceiver(library: Library, most: number): Program {
  return (words) => () => {
    const queue = queueOn(library, words, 1);
    const room = new library.gate.Gate(words, ROOM);
    const messages = new library.gate.Gate(words, MESSAGES);
    const all: number[] = [];
    while (all.length < most) {
      const got = block(messages, () => {
        const taken = get(library, queue, words);
        return taken.length > 0 || queue.drained ? taken : undefined;
      });
      if (got.length === 0) break;
      all.push(...got);
      room.notify();
    }
    return all;
  };
}

const blocking = (library: Library) =>
  explore([blockingSender(library, [1, 2], true), blockingReceiver(library, 9)], ({ results }) => {
    assert.deepEqual(results[1], [1, 2]);
  });

const bothLearn = (library: Library) =>
  explore(
    [blockingSender(library, [], true), blockingReceiver(library, 9), blockingReceiver(library, 9)],
    ({ results }) => sameNumbers((results.slice(1) as number[][]).flat(), [1], RECEIVED),
    { setUp: (words) => put(queueOn(library, words, 1), words, 1) },
  );

const twoBlocked = (library: Library) =>
  explore(
    [blockingSender(library, [1], false), blockingSender(library, [2], false), blockingReceiver(library, 2)],
    ({ results }) => sameNumbers(results[2] as number[], [1, 2], RECEIVED),
  );

holds("message queue: two senders and a receiver, room for one", senders(1));
holds("message queue: two senders and a receiver, room for two", senders(2));
holds("message queue: a sender and two receivers", receivers);
holds("message queue: a send and a receive while it is closed", closing);
holds("gates: a blocking sender and a blocking receiver", blocking);
holds("gates: two blocked receivers learn that the queue is closed", bothLearn);
holds("gates: two blocked senders and a receiver", twoBlocked);

const file = "sync/message-queue";

catches("close overwrites a racing claim", closing, /received|not drained/, {
  file,
  from: "Atomics.or(this.#words.i32, this.#base + TAIL, CLOSED)",
  to: "Atomics.store(this.#words.i32, this.#base + TAIL, Atomics.load(this.#words.i32, this.#base + TAIL) | CLOSED)",
});

catches("a receiver takes a message by a check and a store", receivers, /received/, {
  file,
  from: "Atomics.compareExchange(i32, word, head, this.#after(head)) === head",
  to: "Atomics.load(i32, word) === head && (Atomics.store(i32, word, this.#after(head)), true)",
});

catches("a claimed cell is shown at once", senders(2), /received/, {
  file,
  from: "this.#after(position) << 1) === tail)",
  to: "this.#after(position) << 1) === tail && Atomics.store(i32, cell, 2 * lap + 1) !== -1)",
});

catches("a message is published by a plain write", senders(2), /a data race/, {
  file,
  from: "Atomics.store(this.#words.i32, cell, this.#words.i32[cell] + 1);",
  to: "this.#words.i32[cell]++;",
});

catches("a waiter at a gate does not announce itself", blocking, /a wake was lost/, {
  file: "sync/gate",
  from: "Atomics.or(this.#words.i32, this.#word, 1) | 1",
  to: "Atomics.load(this.#words.i32, this.#word)",
});

catches("a notifier at a gate leaves the word as it is", blocking, /a wake was lost/, {
  file: "sync/gate",
  from: "Atomics.compareExchange(i32, this.#word, key, (key + 1) | 0) === key",
  to: "true",
});
