/** Items of the main thread's jobs that it has taken and not begun: the oldest comes first; or, to a wait in a job, the newest that it may take. */
import { rankOf } from "./rank.js";

export class Taken {
  #items: number[] = [];
  /** Where the oldest is. */
  #first = 0;
  /** How many of them were made in other jobs. */
  #inside = 0;

  get empty(): boolean {
    return this.#first === this.#items.length;
  }

  /** Adds items, which are newer than all others. */
  add(items: readonly number[]): void {
    for (const item of items) {
      this.#items.push(item);
      if (rankOf(item) > 0) this.#inside++;
    }
  }

  /** Puts items before all that are there. */
  putBack(items: readonly number[]): void {
    const others = this.#items.slice(this.#first);
    this.#items = [];
    this.#first = 0;
    this.#inside = 0;
    this.add(items);
    this.add(others);
  }

  /** Whether there is an item that is no less than `least`. */
  has(least: number): boolean {
    return least === 0 ? !this.empty : this.#newest(least) >= 0;
  }

  /** Takes the oldest; or, if `least` is not 0, the newest that is no less than that. @returns 0 if there is none */
  take(least: number): number {
    if (this.empty) return 0;
    const at = least === 0 ? this.#first : this.#newest(least);
    if (at < 0) return 0;
    const item = this.#items[at];
    if (rankOf(item) > 0) this.#inside--;
    if (at === this.#first) this.#first++;
    else this.#items.splice(at, 1);
    if (this.empty) {
      this.#items.length = 0;
      this.#first = 0;
    }
    return item;
  }

  forEach(use: (item: number) => void): void {
    for (let at = this.#first; at < this.#items.length; at++) use(this.#items[at]);
  }

  /** Where the newest item is that is no less than `least`, or -1. */
  #newest(least: number): number {
    if (this.#inside === 0) return -1;
    for (let at = this.#items.length - 1; at >= this.#first; at--) if (this.#items[at] >= least) return at;
    return -1;
  }
}
