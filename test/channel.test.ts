import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { Channel, ChannelClosedError, JobFailedError, PayloadTooLargeError, shared, WaitGroup } from "heddle";
import type { Part } from "./support/channel-thread.js";
import * as work from "./support/channel-work.js";
import { cloneable } from "./support/cloneable.js";
import { HANGS, until } from "./support/hangs.js";
import { bound } from "./support/long.js";
import { runModule } from "./support/programs.js";
import { withSystem } from "./support/systems.js";
import { onThreads } from "./sync/support/threads.js";

const WORK = new URL("./support/channel-work.js", import.meta.url);
const THREAD = new URL("./support/channel-thread.js", import.meta.url);

const DONE = { value: undefined, done: true };
const message = <T>(value: T) => ({ value, done: false });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Runs a program on its own, which fails if it hangs. @returns its exit code and what it printed */
function run(program: string): [number | null, string, string] {
  const { status, stdout, stderr } = runModule(program);
  return [status, stdout, stderr];
}

test("a channel is full, empty, closed and drained, in every way of asking", HANGS, async () => {
  for (const capacity of [1, 2, 3, 8]) {
    const channel = new Channel({ capacity });
    assert.equal(channel.capacity, capacity);
    assert.equal(channel.tryReceive(), undefined);
    for (let k = 0; k < capacity; k++) assert.equal(channel.trySend(k), true);
    assert.equal(channel.trySend(99), false);
    assert.deepEqual(channel.tryReceive(), message(0));
    channel.sendSync(capacity);
    assert.equal(channel.closed, false);
    channel.close();
    channel.close();
    assert.equal(channel.closed, true);
    assert.throws(() => channel.trySend(1), ChannelClosedError);
    assert.throws(() => channel.sendSync(1), ChannelClosedError);
    await assert.rejects(channel.send(1), ChannelClosedError);
    assert.deepEqual(await channel.receive(), message(1));
    for (let k = 2; k <= capacity; k++) assert.deepEqual(channel.receiveSync(), message(k));
    assert.deepEqual(channel.tryReceive(), DONE);
    assert.deepEqual(channel.receiveSync(), DONE);
    assert.deepEqual(await channel.receive(), DONE);
  }
});

test("on one thread, promises are served in the order in which they were asked for", HANGS, async () => {
  const channel = new Channel({ capacity: 1 });
  const received = [channel.receive(), channel.receive(), channel.receive()];
  assert.equal(channel.trySend(1), true);
  assert.equal(channel.tryReceive(), undefined, "what is there is for those who have waited");
  await channel.send(2);
  await channel.send(3);
  assert.deepEqual(await Promise.all(received), [message(1), message(2), message(3)]);
  const sends = [channel.send(4), channel.send(5), channel.send(6)];
  assert.equal(channel.trySend(7), false);
  assert.deepEqual(channel.tryReceive(), message(4));
  assert.equal(channel.trySend(7), false, "nobody overtakes those who wait");
  assert.deepEqual(channel.receiveSync(), message(5));
  await sends[1];
  const closing = channel.send(7);
  await sends[2];
  channel.close();
  await assert.rejects(closing, ChannelClosedError);
  const rest: number[] = [];
  for await (const value of channel) rest.push(value);
  assert.deepEqual(rest, [6]);
});

test("all numbers, records and cloneable values arrive as they were when they were sent", HANGS, async () => {
  const numbers = new Channel({ capacity: 4 });
  for (const value of [0, -0, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, Number.MAX_SAFE_INTEGER, 5e-324]) {
    numbers.sendSync(value);
    assert.ok(Object.is(numbers.receiveSync().value, value));
  }
  const points = new Channel({ capacity: 1, record: Float32Array, length: 3 });
  const point = Float32Array.of(1, 2, 3);
  await points.send(point);
  point[0] = 9;
  const late = points.send(point);
  point[0] = 10;
  assert.deepEqual((await points.receive()).value, Float32Array.of(1, 2, 3));
  await late;
  assert.deepEqual((await points.receive()).value, Float32Array.of(9, 2, 3));
  await points.send(shared(Float32Array, [4, 5, 6]));
  assert.deepEqual((await points.receive()).value, Float32Array.of(4, 5, 6));
  const odd = new Channel({ capacity: 3, record: Uint8Array, length: 5 });
  for (let k = 0; k < 9; k++) {
    assert.ok(odd.trySend(Uint8Array.of(k, 1, 2, 3, 255)));
    assert.deepEqual(odd.tryReceive()?.value, Uint8Array.of(k, 1, 2, 3, 255));
  }
  const wide = new Channel({ capacity: 2, record: BigInt64Array, length: 2 });
  wide.sendSync(BigInt64Array.of(1n, -(2n ** 63n)));
  assert.deepEqual(wide.receiveSync().value, BigInt64Array.of(1n, -(2n ** 63n)));
  const values = new Channel({ capacity: 2, maxBytes: 100_000 });
  const changing = { list: [1, 2] };
  await values.send(changing);
  changing.list.push(3);
  assert.deepEqual((await values.receive()).value, { list: [1, 2] });
  await fc.assert(
    fc.asyncProperty(cloneable, async (value) => {
      await values.send(value);
      assert.deepEqual((await values.receive()).value, structuredClone(value));
    }),
    { numRuns: bound(80, 300) },
  );
  values.sendSync(undefined);
  assert.deepEqual(values.receiveSync(), message(undefined));
});

test("wrong options and wrong values are named, and nothing of them is sent", HANGS, async () => {
  const make = (options: unknown) => () => new Channel(options as { capacity: number });
  assert.throws(make(undefined), /needs options/);
  assert.throws(make({}), /capacity must be a number/);
  for (const capacity of [0, -1, 1.5, Number.NaN, 2 ** 24 + 1]) assert.throws(make({ capacity }), /capacity must be/);
  assert.throws(make({ capacity: 4, maxBytes: 0 }), /maxBytes must be/);
  assert.throws(make({ capacity: 4, record: Float32Array }), /length must be a number/);
  assert.throws(make({ capacity: 4, record: Float32Array, length: 0 }), /length must be/);
  for (const record of [Array, DataView, "Float32Array"]) {
    assert.throws(make({ capacity: 4, record, length: 1 }), /record must be a constructor of typed arrays/);
  }
  assert.throws(make({ capacity: 4, record: Float32Array, length: 1, maxBytes: 8 }), /cannot be given both/);
  assert.throws(make({ capacity: 2 ** 20, maxBytes: 2 ** 20 }), /capacity is 1048576.*smaller/);
  assert.throws(make(new SharedArrayBuffer(256)), /buffer of a Channel/);
  assert.throws(make(new WaitGroup().buffer), /buffer of a Channel/);

  const numbers = new Channel({ capacity: 2 });
  assert.throws(() => numbers.trySend("1" as never), /value must be a number, not string.*maxBytes/);
  await assert.rejects(numbers.send(null as never), /value must be a number, not null/);
  assert.equal(numbers.tryReceive(), undefined);

  const records = new Channel({ capacity: 2, record: Float32Array, length: 3 });
  assert.throws(() => records.trySend(new Float32Array(2)), /length of this channel's records, 3, not 2/);
  assert.throws(() => records.trySend(new Float64Array(3) as never), /a Float32Array of length 3.*Float64Array/);
  assert.throws(() => records.trySend([1, 2, 3] as never), /a Float32Array of length 3.*Array/);
  assert.equal(records.tryReceive(), undefined);

  const values = new Channel({ capacity: 2, maxBytes: 64 });
  await assert.rejects(values.send("x".repeat(100)), (error: unknown) => {
    assert.ok(error instanceof PayloadTooLargeError);
    assert.equal(error.maxBytes, 64);
    assert.ok(error.bytes > 100);
    assert.match(error.message, new RegExp(`${error.bytes} bytes.*64 at most`));
    return true;
  });
  const refused = (value: unknown, place: RegExp) =>
    assert.throws(
      () => values.trySend(value),
      (error: unknown) => {
        assert.ok(error instanceof DOMException);
        assert.equal(error.name, "DataCloneError");
        assert.match(error.message, place);
        return true;
      },
    );
  refused(() => {}, /^value cannot be sent through a channel/);
  let deep: unknown[] = [];
  for (let k = 0; k < 100_000; k++) deep = [deep];
  refused(deep, /^value cannot be sent.*nested too deeply/);
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  refused(proxy, /^value cannot be sent through a channel/);
  refused([proxy], /^value .*cannot be sent through a channel/);
  assert.throws(() => records.trySend(proxy as never), /a Float32Array of length 3, not an object/);
  refused({ at: [1, { done() {} }] }, /value at \.at\[1\]\.done/);
  refused({ cells: shared(Int32Array, 1) }, /value at \.cells .*a view on shared memory/);
  refused({ answers: new Channel({ capacity: 1 }) }, /value at \.answers .*a Channel, which goes by reference/);
  refused(new WaitGroup(), /^value cannot.*a WaitGroup, which goes by reference/);
  assert.equal(values.tryReceive(), undefined);
});

test("jobs produce and consume: each value once, in order for each producer", HANGS, async () => {
  await withSystem(
    { threads: 4 },
    async (jobs) => {
      for (const capacity of [1, 3, 64]) {
        const count = 3000;
        const channel = new Channel({ capacity });
        const tally = shared(Int32Array, 2 * count + 1);
        const consumers = [0, 1].map(() => jobs.run(work.consume, channel, tally, count));
        const producers = [0, 1].map((k) => jobs.run(work.produce, channel, k * count, count));
        await Promise.all(producers);
        channel.close();
        const received = await Promise.all(consumers);
        assert.equal(received[0] + received[1], 2 * count);
        for (let k = 0; k < 2 * count; k++) assert.equal(tally[k], 1, `${k} came ${tally[k]} times`);
      }
    },
    WORK,
  );
});

test("plain threads, blocking and not, and this one: each value once and in order", HANGS, async ({ signal }) => {
  const count = 5000;
  const channel = new Channel({ capacity: 8 });
  const sending = new WaitGroup();
  const tally = shared(Int32Array, 3 * count);
  const parts = (role: "send" | "receive", ways: readonly boolean[]): Part[] =>
    ways.map((blocking, me) => {
      return { role, blocking, channel: channel.buffer, sending: sending.buffer, tally, me, count };
    });
  sending.add(3);
  const receiving = onThreads<number>(THREAD, parts("receive", [true, false]), signal);
  const senders = onThreads<number>(THREAD, parts("send", [true, false]), signal);
  let here = 0;
  const receivingHere = (async () => {
    for await (const value of channel) {
      Atomics.add(tally, value, 1);
      here++;
    }
  })();
  for (let k = 0; k < count; k++) await channel.send(2 * count + k);
  sending.done();
  await sending.wait();
  channel.close();
  await Promise.all([senders, receivingHere]);
  const elsewhere = await receiving;
  assert.equal(elsewhere[0] + elsewhere[1] + here, 3 * count);
  for (let k = 0; k < 3 * count; k++) assert.equal(tally[k], 1, `${k} came ${tally[k]} times`);
});

test("close wakes all who are blocked, and all who await, on whichever threads", HANGS, async () => {
  await withSystem(
    { threads: 3 },
    async (jobs) => {
      for (let round = 0; round < 100; round++) {
        const waiting = shared(Int32Array, 1);
        const empty = new Channel({ capacity: 2 });
        const full = new Channel({ capacity: 1 });
        full.sendSync(0);
        const receivers = [0, 1].map(() => jobs.run(work.receiveOne<number>, empty, waiting));
        const sender = jobs.run(work.sendOne<number>, full, waiting, 1);
        const here = [empty.receive(), empty.receive()];
        const sendHere = assert.rejects(full.send(2), ChannelClosedError);
        await until(() => Atomics.load(waiting, 0) === 3);
        for (let k = 0; k < round % 5; k++) await turn();
        empty.close();
        full.close();
        assert.deepEqual(await Promise.all([...receivers, ...here]), [DONE, DONE, DONE, DONE]);
        assert.equal(await sender, "ChannelClosedError");
        await sendHere;
        assert.deepEqual(full.tryReceive(), message(0));
        assert.deepEqual(full.tryReceive(), DONE);
      }
    },
    WORK,
  );
});

test("a message wakes a blocked receiver even if a blocked event loop waits too", HANGS, async ({ signal }) => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const channel = new Channel({ capacity: 1 });
      const held = shared(Int32Array, 1);
      const holding = onThreads<number>(THREAD, [{ role: "hold", channel: channel.buffer, tally: held }], signal);
      await until(() => Atomics.load(held, 0) === 1);
      const waiting = shared(Int32Array, 1);
      const job = jobs.run(work.receiveOne<number>, channel, waiting);
      await until(() => Atomics.load(waiting, 0) === 1);
      for (let k = 0; k < 10; k++) await turn();
      channel.sendSync(5);
      // The other thread does not go round its event loop until the job has the message.
      assert.deepEqual(await job, message(5));
      Atomics.store(held, 0, 2);
      Atomics.notify(held, 0);
      channel.sendSync(6);
      assert.deepEqual(await holding, [6]);
    },
    WORK,
  );
});

test("back-pressure: who awaits send is never further ahead than the capacity", HANGS, async () => {
  await withSystem(
    { threads: 2 },
    async (jobs) => {
      const capacity = 16;
      const count = 50_000;
      const channel = new Channel({ capacity });
      const tally = shared(Int32Array, count + 1);
      const size = channel.buffer.byteLength;
      const consumer = jobs.run(work.consume, channel, tally, count);
      for (let k = 0; k < count; k++) {
        await channel.send(k);
        const ahead = k + 1 - Atomics.load(tally, count);
        // One more, which the consumer has taken and not yet counted.
        assert.ok(ahead <= capacity + 1, `${ahead} messages are under way`);
      }
      channel.close();
      assert.equal(await consumer, count);
      assert.equal(channel.buffer.byteLength, size);
    },
    WORK,
  );
});

test("channels go to jobs and back by reference, and stay the same object on a thread", HANGS, async () => {
  await withSystem(
    { threads: 2 },
    async (jobs) => {
      const channel = new Channel<string>({ capacity: 2, maxBytes: 100 });
      assert.equal(await jobs.run(work.sameObject, channel, channel), true);
      const made = await jobs.run(work.makeChannel, 7);
      assert.deepEqual(made.tryReceive(), message(7));
      assert.deepEqual(await jobs.run(work.receiveFrom, jobs.spawn(work.makeChannel, 8)), message(8));
      const [questions, answers] = [new Channel({ capacity: 2 }), made];
      const job = jobs.run(work.doubles, questions, answers);
      for (let k = 0; k < 100; k++) {
        await questions.send(k);
        assert.deepEqual(await answers.receive(), message(2 * k));
      }
      questions.close();
      await job;
      assert.equal(made.closed, true);
      assert.throws(
        () => jobs.run(work.sameObject, { channel }, 1),
        /job "sameObject": argument 0 at \.channel cannot be copied.*a Channel, which goes by reference/,
      );
      // Many, so that numbers of shared buffers are given up in between.
      for (let k = 0; k < 300; k++) assert.deepEqual((await jobs.run(work.makeChannel, k)).tryReceive(), message(k));
      await assert.rejects(async () => await jobs.run(work.produce, made, 0, 1), JobFailedError);
    },
    WORK,
  );
});

test("a job that blocks shows others first what it has submitted", HANGS, async () => {
  await withSystem(
    { threads: 2 },
    async (jobs) => {
      const producers = 100;
      const channel = new Channel({ capacity: 1 });
      const sum = await jobs.run(work.spawnAndReceive, channel, producers);
      assert.equal(sum, (producers * (producers - 1)) / 2);
    },
    WORK,
  );
});

test("the main thread may block: what it has submitted is published first", HANGS, () => {
  const program = `import { Channel, JobSystem } from "heddle"; import * as work from "${WORK.href}";
    const jobs = await JobSystem.create({ threads: 1, modules: ["${WORK.href}"] });
    const channel = new Channel({ capacity: 1 });
    const job = jobs.run(work.produce, channel, 1, 10);
    let sum = 0;
    for (let k = 0; k < 10; k++) sum += channel.receiveSync().value;
    job.wait();
    console.log(sum);
    await jobs.shutdown();`;
  assert.deepEqual(run(program), [0, "55\n", ""]);
});

test("within a worker's event loop, channels are awaited too", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const [from, to] = [new Channel({ capacity: 2 }), new Channel({ capacity: 2 })];
      await jobs.run(work.forwardLater, from, to);
      const sending = (async () => {
        for (let k = 0; k < 50; k++) await from.send(k);
        from.close();
      })();
      let next = 0;
      for await (const value of to) assert.equal(value, next++);
      assert.equal(next, 50);
      await sending;
    },
    WORK,
  );
});

test("leaving a loop over a channel leaves it open", HANGS, async () => {
  const channel = new Channel({ capacity: 4 });
  for (let k = 0; k < 4; k++) channel.sendSync(k);
  for await (const value of channel) if (value === 1) break;
  for (const value of channel) if (value === 2) break;
  assert.equal(channel.closed, false);
  assert.deepEqual(channel.tryReceive(), message(3));
});

test("the process stays alive while something is awaited, and no longer", HANGS, () => {
  const imports = 'import { Channel, WaitGroup } from "heddle";';
  const received = `${imports} const channel = new Channel({ capacity: 1 });
    setTimeout(() => channel.trySend(5), 1).unref();
    console.log((await channel.receive()).value);`;
  assert.deepEqual(run(received), [0, "5\n", ""]);
  const waited = `${imports} const group = new WaitGroup(); group.add();
    setTimeout(() => group.done(), 1).unref();
    await group.wait(); console.log(group.count);`;
  assert.deepEqual(run(waited), [0, "0\n", ""]);
});
