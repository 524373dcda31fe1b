/** What was done to whom, and when: for what it explains. */
import { clock } from "./notes.js";

/** In place of a worker's name: everybody. */
export const ALL = "all";

interface Interval {
  readonly from: number;
  to: number;
}

export class Faults {
  readonly #byVictim = new Map<string, Interval[]>();
  /** How often each kind was done. */
  readonly counts: Record<string, number> = {};
  isServerDown = false;

  count(kind: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** Something happens to this worker, or to all, from now on. @returns how to say that it is over */
  begin(victim: string): () => void {
    const interval = this.add(victim, clock(), Number.POSITIVE_INFINITY);
    return () => {
      interval.to = Math.min(interval.to, clock());
    };
  }

  add(victim: string, from: number, to: number): Interval {
    const interval = { from, to };
    const all = this.#byVictim.get(victim);
    if (all === undefined) this.#byVictim.set(victim, [interval]);
    else all.push(interval);
    return interval;
  }

  /** Whether a worker had any trouble between these times. */
  between(worker: string, from: number, to: number): boolean {
    const hits = (all: readonly Interval[] = []) => all.some((each) => each.from <= to && each.to >= from);
    return hits(this.#byVictim.get(worker)) || hits(this.#byVictim.get(ALL));
  }
}
