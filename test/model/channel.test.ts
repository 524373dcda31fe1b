/** The channel: values are neither lost nor doubled, and none is sent after `close`. */
import assert from "node:assert/strict";
import { catches, holds, sameNumbers } from "./support/check.js";
import { explore, type Outcome, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";

const BASE = 16;
const CAPACITY = 2;
const RECEIVED = "received";

/** A program that uses a channel. */
function user({ channel }: Library, use: (to: InstanceType<Library["channel"]["Channel"]>) => unknown): Program {
  return (words) => () => use(new channel.Channel(words, BASE, CAPACITY));
}

/** What is left in the channel at the end. */
function left({ channel }: Library, { words }: Outcome): number[] {
  const rest = new channel.Channel(words, BASE, CAPACITY);
  return [rest.receive(), rest.receive()].filter((value) => value !== channel.EMPTY);
}

function sendersAndReceivers(library: Library) {
  const { EMPTY } = library.channel;
  const programs = [
    user(library, (to) => to.send(10)),
    user(library, (to) => to.send(20)),
    user(library, (from) => [from.receive(), from.receive(), from.receive()]),
  ];
  return explore(programs, (outcome) => {
    const got = (outcome.results[2] as number[]).filter((value) => value !== EMPTY);
    sameNumbers([...got, ...left(library, outcome)], [10, 20], RECEIVED);
  });
}

/** A sender that fills the channel, a receiver of a batch and one of single values; the lap changes. */
function full(library: Library) {
  const { SENT, EMPTY } = library.channel;
  const programs = [
    user(library, (to) => [1, 2, 3].map((value) => to.send(value))),
    user(library, (from) => {
      const out = new Int32Array(2);
      const count = from.receiveMany(out, 2);
      return [...out.subarray(0, count)];
    }),
    user(library, (from) => [from.receive(), from.receive()].filter((value) => value !== EMPTY)),
  ];
  return explore(programs, (outcome) => {
    const [answers, batch, single] = outcome.results as number[][];
    const sent = [1, 2, 3].filter((_, k) => answers[k] === SENT);
    sameNumbers([...batch, ...single, ...left(library, outcome)], sent, RECEIVED);
  });
}

function closing(library: Library) {
  const { SENT, SHUT, EMPTY, Channel } = library.channel;
  const programs = [
    user(library, (to) => to.send(5)),
    user(library, (to) => {
      to.close();
      return to.send(6);
    }),
    user(library, (from) => from.receive()),
  ];
  return explore(programs, (outcome) => {
    assert.equal(outcome.results[1], SHUT);
    const got = [outcome.results[2] as number, ...left(library, outcome)].filter((value) => value !== EMPTY);
    sameNumbers(got, outcome.results[0] === SENT ? [5] : [], RECEIVED);
    assert.ok(new Channel(outcome.words, BASE, CAPACITY).drained, "it is not drained");
  });
}

holds("channel: two senders and a receiver", sendersAndReceivers);
holds("channel: a full one, a receiver of a batch and another receiver", full);
holds("channel: a send and a receive while it is closed", closing);

const file = "sync/channel";

catches("the turn is published before the value", sendersAndReceivers, /received/, {
  file,
  from: "i32[cell + 1] = value;\n                    // Publishes",
  to: "Atomics.store(i32, cell, lap + 1); i32[cell + 1] = value;\n                    // Publishes",
});

catches("a sender claims its position by a check and a store", sendersAndReceivers, /received/, {
  file,
  from: "if (Atomics.compareExchange(i32, base + TAIL, tail, ((position + 1) << 1) | 0) === tail) {",
  to: "if (Atomics.load(i32, base + TAIL) === tail) { Atomics.store(i32, base + TAIL, (position + 1) << 1);",
});

catches("a receiver claims its position by a check and a store", full, /received/, {
  file,
  from: "if (Atomics.compareExchange(i32, base + HEAD, head, (head + 1) & POSITION) === head) {",
  to: "if (Atomics.load(i32, base + HEAD) === head) { Atomics.store(i32, base + HEAD, (head + 1) & POSITION);",
});

catches("a receiver hands the cell back before it has read it", full, /received/, {
  file,
  from: "const value = i32[cell + 1];",
  to: "Atomics.store(i32, cell, (lap + mask + 1) & POSITION); const value = i32[cell + 1];",
});

catches("a batch is taken by TAIL, without a look at the turns", full, /received/, {
  file,
  from: "if (distance(turn, (position & ~mask) + 1) !== 0)",
  to: "if (false)",
});

catches("a channel is closed by a load and a store", closing, /received|not drained/, {
  file,
  from: "Atomics.or(this.#words.i32, this.#base + TAIL, CLOSED);",
  to: "Atomics.store(this.#words.i32, this.#base + TAIL, Atomics.load(this.#words.i32, this.#base + TAIL) | CLOSED);",
});

catches("the turn is published by a plain write", sendersAndReceivers, /a data race/, {
  file,
  from: "Atomics.store(i32, cell, lap + 1);",
  to: "i32[cell] = lap + 1;",
});
