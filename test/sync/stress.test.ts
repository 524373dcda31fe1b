import assert from "node:assert/strict";
import test from "node:test";
import { HANGS } from "../support/hangs.js";
import { channel, memoryLayout, memoryMemory } from "./support/library.js";
import type { Part } from "./support/stress-worker.js";
import { onThreads } from "./support/threads.js";

const WORKER = new URL("./support/stress-worker.js", import.meta.url);
const TALLY = 8_000_000;
const BASE = 64;

function words(tally: number): { buffer: SharedArrayBuffer; i32: Int32Array } {
  const buffer = new SharedArrayBuffer((TALLY + tally) * 4);
  return { buffer, i32: new Int32Array(buffer) };
}

function each(i32: Int32Array, from: number, count: number): void {
  for (let k = from; k < from + count; k++) assert.equal(i32[TALLY + k], 1, `value ${k} came ${i32[TALLY + k]} times`);
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

test(
  "channel: two senders and three receivers on real threads, each value once and in order",
  HANGS,
  async ({ signal }) => {
    const count = 100_000;
    const { buffer, i32 } = words(2 * count);
    const receiving = onThreads<number>(
      WORKER,
      [2, 3, 4].map((me) => ({ role: "receive", buffer, me, count }) satisfies Part),
      signal,
    );
    await onThreads(
      WORKER,
      [0, 1].map((me) => ({ role: "send", buffer, me, count }) satisfies Part),
      signal,
    );
    new channel.Channel({ i32, reach: () => {} }, BASE, 64).close();
    assert.equal(sum(await receiving), 2 * count);
    each(i32, 0, 2 * count);
  },
);

test(
  "deque: an owner and three thieves on real threads, each item once, while the array grows",
  HANGS,
  async ({ signal }) => {
    const count = 300_000;
    const { buffer, i32 } = words(count + 1);
    const thieves = [1, 2, 3].map((me) => ({ role: "steal", buffer, me, count }) satisfies Part);
    const taken = await onThreads<number>(
      WORKER,
      [{ role: "own", buffer, me: 0, count } satisfies Part, ...thieves],
      signal,
    );
    assert.equal(sum(taken), count);
    each(i32, 1, count);
  },
);

test(
  "event count: four sleeping consumers and two producers on real threads lose no wake",
  HANGS,
  async ({ signal }) => {
    const count = 60_000;
    const { buffer } = words(0);
    const consumers = [0, 1, 2, 3].map((me) => ({ role: "consume", buffer, me, count: 2 }) satisfies Part);
    const producers = [4, 5].map((me) => ({ role: "produce", buffer, me, count }) satisfies Part);
    const counts = await onThreads<number>(WORKER, [...consumers, ...producers], signal);
    assert.equal(sum(counts.slice(0, 4)), 2 * count);
  },
);

test("pool: four threads on real threads never hold the same cell, in bounded memory", HANGS, async ({ signal }) => {
  const { layoutFor, SLOT_WORDS } = memoryLayout;
  const memory = memoryMemory.Memory.create(layoutFor(4, 100_000));
  const before = memory.buffer.byteLength;
  const parts = [0, 1, 2, 3].map((me) => ({ role: "pool", buffer: memory.buffer, me, count: 400_000 }) satisfies Part);
  await onThreads<number>(WORKER, parts, signal);
  assert.ok(memory.buffer.byteLength - before <= memory.layout.slotLimit * 2 * SLOT_WORDS * 4 + 5 * 2 ** 19);
});
