/** Pseudo-random numbers from a seed (Mulberry32, by T. Ettinger), so that a run can be started again with the same program. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((((bits ^ (bits >>> 14)) >>> 0) * end) / 2 ** 32) | 0;
  }

  /** True with the probability 1 / `rarity`. */
  oneIn(rarity: number): boolean {
    return this.below(rarity) === 0;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}
