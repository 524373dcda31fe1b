/** What became of the jobs, and what ought not to have happened. */

import { HANDLE_KINDS, type HandleKind } from "./handles.js";

/** How a job may end. */
export const ENDS = ["done", "failed", "dependency failed", "cancelled", "timed out", "crashed"] as const;
export type End = (typeof ENDS)[number];

/** More faults of one kind are counted, but not described. */
const MOST_DESCRIBED = 20;

export class Tally {
  submitted = 0;
  readonly ends: Record<End, number> = Object.fromEntries(ENDS.map((end) => [end, 0])) as Record<End, number>;
  /** Jobs that never settled, with a wrong result or at a wrong time, and that ran too often. */
  readonly lost: string[] = [];
  readonly wrong: string[] = [];
  readonly doubled: string[] = [];
  /** Handles that jobs have left open. */
  readonly left = Object.fromEntries(HANDLE_KINDS.map((kind) => [kind, 0])) as Record<HandleKind, number>;
  graphs = 0;

  get settled(): number {
    return ENDS.reduce((sum, end) => sum + this.ends[end], 0);
  }

  get clean(): boolean {
    return this.lost.length === 0 && this.wrong.length === 0 && this.doubled.length === 0;
  }

  /** All numbers, and what is known of the faults. */
  summary(): string {
    const lines = [
      `${this.graphs} graphs, ${this.submitted} jobs submitted, ${this.settled} settled`,
      ENDS.map((end) => `${end} ${this.ends[end]}`).join(", "),
    ];
    for (const [what, faults] of Object.entries({ lost: this.lost, wrong: this.wrong, doubled: this.doubled })) {
      lines.push(`${what} ${faults.length}`, ...faults.slice(0, MOST_DESCRIBED).map((fault) => `  ${fault}`));
    }
    return lines.join("\n");
  }
}
