/** Real threads that hand things to one another; more threads than most machines have cores free. */
import assert from "node:assert/strict";
import test from "node:test";
import { HANGS } from "../support/hangs.js";
import type { HandoverPart } from "./support/handover-worker.js";
import { channel, memoryLayout, memoryMemory } from "./support/library.js";
import { onThreads } from "./support/threads.js";

const WORKER = new URL("./support/handover-worker.js", import.meta.url);
/** As in handover-worker.ts, which cannot be imported here: it runs at once. */
const TALLY = 2_000_000;
const LINK_CAPACITY = 256;

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

test("deque as a queue: batches taken by three threads, each item once and in order", HANGS, async ({ signal }) => {
  const count = 300_000;
  const threads = 4;
  const buffer = new SharedArrayBuffer((TALLY + count + 1) * 4);
  const parts = [0, 1, 2, 3].map(
    (me) => ({ role: me === 0 ? "fill" : "empty", buffer, me, threads, count }) satisfies HandoverPart,
  );
  assert.equal(sum(await onThreads<number>(WORKER, parts, signal)), count);
  const tally = new Int32Array(buffer, TALLY * 4);
  for (let item = 1; item <= count; item++) assert.equal(tally[item], 1, `item ${item} came ${tally[item]} times`);
});

test("event count: four threads that take turns, each woken by name, lose no wake", HANGS, async ({ signal }) => {
  const count = 40_000;
  const threads = 4;
  const buffer = new SharedArrayBuffer(4096);
  const parts = [0, 1, 2, 3].map((me) => ({ role: "turn", buffer, me, threads, count }) satisfies HandoverPart);
  const sleeps = await onThreads<number>(WORKER, parts, signal);
  assert.equal(new Int32Array(buffer)[1], count, "every turn was taken");
  assert.ok(sum(sleeps) > 0, "somebody slept");
});

test("pool: cells freed by another thread than took them are never held twice", HANGS, async ({ signal }) => {
  const threads = 4;
  const layout = memoryLayout.layoutFor(threads, 10_000);
  const { buffer } = memoryMemory.Memory.create(layout);
  const before = buffer.byteLength;
  const links = new SharedArrayBuffer(threads * channel.channelWords(LINK_CAPACITY) * 4);
  const parts = [0, 1, 2, 3].map(
    (me) => ({ role: "pass", buffer, links, me, threads, count: 300_000 }) satisfies HandoverPart,
  );
  assert.ok(sum(await onThreads<number>(WORKER, parts, signal)) > 0, "cells were passed");
  // A region more for each thread: those that lost the race to be carved from.
  const bound = (layout.slotLimit * 2 * memoryLayout.SLOT_WORDS + (threads + 1) * memoryLayout.REGION_WORDS) * 4;
  assert.ok(buffer.byteLength - before <= bound, `${buffer.byteLength - before} bytes were added`);
});
