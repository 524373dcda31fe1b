/**
 * Jobs of this thread that nobody waits for: nobody tells it when they have finished, so it looks
 * itself from time to time. It does so when as many were added as the last look has left over, which
 * makes at most two looks a job on average, and at most as many finished slots lie idle as there are live ones.
 */
const FEWEST = 1024;

export class Outstanding {
  /** Pairs of slot and generation. */
  #entries = new Int32Array(4 * FEWEST);
  #count = 0;
  #due = FEWEST;

  /** @returns whether it is time to look */
  add(slot: number, generation: number): boolean {
    const at = 2 * this.#count++;
    if (at === this.#entries.length) this.#grow();
    this.#entries[at] = slot;
    this.#entries[at + 1] = generation;
    return this.#count >= this.#due;
  }

  /** Looks at each. @param isPending tells whether a job has to be looked at again */
  sweep(isPending: (slot: number, generation: number) => boolean): void {
    const entries = this.#entries;
    let left = 0;
    for (let at = 0; at < 2 * this.#count; at += 2) {
      const slot = entries[at];
      const generation = entries[at + 1];
      if (!isPending(slot, generation)) continue;
      entries[left++] = slot;
      entries[left++] = generation;
    }
    this.#count = left / 2;
    this.#due = Math.max(FEWEST, 2 * this.#count);
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#entries.length);
    larger.set(this.#entries);
    this.#entries = larger;
  }
}
