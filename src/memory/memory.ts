/**
 * The shared memory as one thread sees it: fixed-length views, remade when regions were added.
 *
 * Views that track a growable buffer's length are several times slower than fixed ones, so a view
 * covers what was there when it was made, and `reach` remakes it when an address lies beyond.
 */
import type { Words } from "../sync/words.js";
import { H_REGIONS_END, type Layout, REGION_WORDS } from "./layout.js";

/** Memory of one thread that grows as shared memory does. */
class GrowableBuffer extends ArrayBuffer {
  grow(bytes: number): void {
    this.resize(bytes);
  }
}

export class Memory implements Words {
  readonly buffer: SharedArrayBuffer;
  readonly layout: Layout;
  i32!: Int32Array;
  f64!: Float64Array;
  u8!: Uint8Array;

  private constructor(buffer: SharedArrayBuffer, layout: Layout) {
    this.buffer = buffer;
    this.layout = layout;
    this.#remake();
  }

  /**
   * Memory for all threads of the layout. For one thread alone it need not be shared: some hosts have no memory that is.
   *
   * @throws RangeError when the system does not give as much address space
   */
  static create(layout: Layout): Memory {
    let buffer: SharedArrayBuffer;
    const length = layout.baseWords * 4;
    const options = { maxByteLength: layout.maxWords * 4 };
    try {
      if (layout.threads > 1) buffer = new SharedArrayBuffer(length, options);
      else buffer = new GrowableBuffer(length, options) as ArrayBufferLike as SharedArrayBuffer;
    } catch (cause) {
      const mebibytes = Math.round((layout.maxWords * 4) / 2 ** 20);
      throw new RangeError(`cannot reserve ${mebibytes} MiB of address space; give a smaller maxJobs`, { cause });
    }
    const memory = new Memory(buffer, layout);
    memory.i32[H_REGIONS_END] = layout.baseWords;
    return memory;
  }

  static attach(buffer: SharedArrayBuffer, layout: Layout): Memory {
    return new Memory(buffer, layout);
  }

  /** Makes sure that the views cover `word`, an address that another thread has allocated. */
  reach(word: number): void {
    if (word >= this.i32.length) this.#remake();
  }

  /** Adds `count` zeroed regions that lie side by side. @returns their address, or 0 when memory is full */
  addRegions(count: number): number {
    for (;;) {
      // Races with other threads that add regions; the compare-exchange gives each its own.
      const start = Atomics.load(this.i32, H_REGIONS_END);
      const end = start + count * REGION_WORDS;
      if (end > this.layout.maxWords) return 0;
      if (!this.#grow(end * 4)) return 0;
      if (Atomics.compareExchange(this.i32, H_REGIONS_END, start, end) === start) {
        this.reach(end - 1);
        return start;
      }
    }
  }

  /** @returns false when the system gives no more memory */
  #grow(bytes: number): boolean {
    while (this.buffer.byteLength < bytes) {
      try {
        this.buffer.grow(bytes);
      } catch {
        // Another thread has grown it further in the meantime, which is as good; else memory is out.
        if (this.buffer.byteLength < bytes) return false;
      }
    }
    return true;
  }

  #remake(): void {
    const bytes = this.buffer.byteLength;
    this.i32 = new Int32Array(this.buffer, 0, bytes / 4);
    this.f64 = new Float64Array(this.buffer, 0, bytes / 8);
    this.u8 = new Uint8Array(this.buffer, 0, bytes);
  }
}
