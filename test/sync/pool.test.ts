/** The pool on one thread, as one or two users of the same memory. */
import assert from "node:assert/strict";
import test from "node:test";
import { memoryLayout, memoryMemory, memoryPool } from "./support/library.js";

const { POOL_SLOTS, SLOT_WORDS, layoutFor } = memoryLayout;

/** A small memory with as many users of its slots as asked for. */
function pools(users: number, limit: number) {
  const memory = memoryMemory.Memory.create(layoutFor(users, 2048));
  return {
    memory,
    users: Array.from({ length: users }, (_, me) => new memoryPool.Pool(memory, me, POOL_SLOTS, limit)),
  };
}

function takeAll(pool: InstanceType<typeof memoryPool.Pool>): number[] {
  const cells: number[] = [];
  for (let cell = pool.take(); cell !== 0; cell = pool.take()) cells.push(cell);
  return cells;
}

test("pool: new cells are zeroed, whole and apart, and end at the limit", () => {
  const limit = 1024;
  const { memory, users } = pools(2, limit);
  const cells = [...takeAll(users[0]), ...takeAll(users[1])];
  assert.equal(cells.length, limit);
  assert.equal(new Set(cells).size, limit);
  for (const cell of cells) {
    assert.equal(cell % SLOT_WORDS, 0);
    assert.ok(cell >= memory.layout.baseWords);
    assert.ok(memory.i32.subarray(cell, cell + SLOT_WORDS).every((word) => word === 0));
  }
});

test("pool: what was given last is taken first", () => {
  const { users } = pools(1, 64);
  const [first, second] = [users[0].take(), users[0].take()];
  users[0].give(first);
  users[0].give(second);
  assert.deepEqual([users[0].take(), users[0].take()], [second, first]);
});

test("pool: whole batches reach another user, all but what one may keep", () => {
  const limit = 1024;
  const { memory, users } = pools(2, limit);
  const cells = takeAll(users[0]);
  for (const cell of cells) users[0].give(cell);
  const size = memory.buffer.byteLength;
  const reached = takeAll(users[1]);
  const kept = takeAll(users[0]);
  const { batch } = memory.layout.shapes[POOL_SLOTS];
  assert.ok(kept.length <= 2 * batch, `${kept.length} cells were out of the other's reach`);
  assert.deepEqual(new Set([...reached, ...kept]), new Set(cells));
  assert.equal(reached.length + kept.length, limit);
  assert.equal(memory.buffer.byteLength, size, "nothing new was carved");
});

test("pool: cells that are used again and again take no more memory", () => {
  const { memory, users } = pools(2, Number.POSITIVE_INFINITY);
  const round = () => {
    const cells = Array.from({ length: 500 }, (_, k) => users[k % 2].take());
    for (const [k, cell] of cells.entries()) users[(k + 1) % 2].give(cell);
  };
  for (let k = 0; k < 10; k++) round();
  const size = memory.buffer.byteLength;
  for (let k = 0; k < 2000; k++) round();
  assert.equal(memory.buffer.byteLength, size);
});
