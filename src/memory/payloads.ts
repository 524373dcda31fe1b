/**
 * Payload blocks: bytes of any length in shared memory, in blocks of powers of two with a pool for
 * each. A block may be freed by another thread than the one that allocated it.
 */
import { LARGEST_CLASS, P_BYTES, P_CLASS, P_DATA, POOL_PAYLOADS, SMALLEST_CLASS } from "./layout.js";
import type { Memory } from "./memory.js";
import { Pool } from "./pool.js";

/** The most bytes that a block can hold. */
export const LARGEST_PAYLOAD = 2 ** LARGEST_CLASS - P_DATA * 4;

export class Payloads {
  readonly #memory: Memory;
  readonly #me: number;
  readonly #pools: (Pool | undefined)[] = [];

  /** @param me the thread that uses it */
  constructor(memory: Memory, me: number) {
    this.#memory = memory;
    this.#me = me;
  }

  /** Allocates a block for `bytes` bytes. @returns its address, or 0 when there is no room */
  allocate(bytes: number): number {
    if (bytes > LARGEST_PAYLOAD) return 0;
    const needed = bytes + P_DATA * 4;
    const log = Math.max(SMALLEST_CLASS, 32 - Math.clz32(needed - 1));
    const block = this.#pool(log).take();
    if (block === 0) return 0;
    this.#memory.i32[block + P_BYTES] = bytes;
    this.#memory.i32[block + P_CLASS] = log;
    return block;
  }

  free(block: number): void {
    this.#memory.reach(block);
    this.#pool(this.#memory.i32[block + P_CLASS]).give(block);
  }

  /** Makes sure that the memory's views cover all of a block. */
  reach(block: number): void {
    this.#memory.reach(block);
    this.#memory.reach(block + P_DATA - 1 + ((this.#memory.i32[block + P_BYTES] + 3) >>> 2));
  }

  /** A block's bytes, in place. */
  bytes(block: number): Uint8Array {
    this.reach(block);
    const length = this.#memory.i32[block + P_BYTES];
    const start = (block + P_DATA) * 4;
    return this.#memory.u8.subarray(start, start + length);
  }

  /** Stores a copy of `bytes`. @returns the block, or 0 when there is no room */
  store(bytes: Uint8Array): number {
    const block = this.allocate(bytes.length);
    if (block !== 0) this.bytes(block).set(bytes);
    return block;
  }

  /** A second block with the same content. @returns 0 when there is no room */
  copy(block: number): number {
    return this.store(this.bytes(block));
  }

  /** After a thread has died: see `Pool.repair`. */
  repair(): void {
    for (let log = SMALLEST_CLASS; log <= LARGEST_CLASS; log++) this.#pool(log).repair();
  }

  #pool(log: number): Pool {
    let pool = this.#pools[log];
    if (pool === undefined) {
      pool = new Pool(this.#memory, this.#me, POOL_PAYLOADS + log - SMALLEST_CLASS);
      this.#pools[log] = pool;
    }
    return pool;
  }
}
