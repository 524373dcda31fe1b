/**
 * A window on shared memory, in 32-bit words.
 *
 * `i32` is replaced when the memory behind it grows, so every operation reads it afresh;
 * an old view stays valid for the words that it covered. `reach` makes sure that `word` is
 * covered by the present view, and is called on every address that comes from another thread.
 */
export interface Words {
  readonly i32: Int32Array;
  reach(word: number): void;
}

/** A `Words` over memory that never grows. */
export function fixedWords(i32: Int32Array): Words {
  return { i32, reach: () => {} };
}

/** Words in a cache line of 64 bytes: what two threads write often is kept this far apart. */
export const LINE = 16;
