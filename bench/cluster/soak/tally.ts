/** What became of the jobs, and what ought not to have happened. */

/** How a job may end. */
export const ENDS = ["done", "failed", "timed out", "worker lost", "dependency failed", "cancelled"] as const;
export type End = (typeof ENDS)[number];

/**
 * What ought not to happen. `lost`: a job without an outcome; `stuck`: no progress; `wrong`: an outcome or an order that nothing explains;
 * `doubled`: an execution that nothing explains; `innocent`: given up with its worker, though it may be tried again and did not kill it.
 */
export const FAULTS = ["lost", "stuck", "wrong", "doubled", "innocent"] as const;
export type Fault = (typeof FAULTS)[number];

/** Those that the soak fails for: an innocent job may have had bad luck as often as it may be tried. */
const GRAVE: readonly Fault[] = ["lost", "stuck", "wrong", "doubled"];
/** More of one kind are counted, but not described. */
const MOST_DESCRIBED = 20;

export class Tally {
  graphs = 0;
  submitted = 0;
  /** Submissions that threw, and of these such as were there all the same. */
  refused = 0;
  there = 0;
  executions = 0;
  /** Large results and fan-ins of them, in bytes. */
  bytes = 0;
  /** For how long a run has made no progress, at most, though a worker could make some, in milliseconds. */
  longestRest = 0;
  /** For how long an able worker was there, in milliseconds. */
  able = 0;
  readonly ends = Object.fromEntries(ENDS.map((end) => [end, 0])) as Record<End, number>;
  readonly #faults = Object.fromEntries(FAULTS.map((fault) => [fault, new Set()])) as Record<Fault, Set<string>>;

  /** Described in words that name what it is about: said twice, it counts once. */
  note(fault: Fault, description: string): void {
    this.#faults[fault].add(description);
  }

  count(fault: Fault): number {
    return this.#faults[fault].size;
  }

  get clean(): boolean {
    return GRAVE.every((fault) => this.count(fault) === 0);
  }

  /** All numbers, and what is known of the faults. */
  summary(): string {
    const { graphs, submitted, refused, there, executions, bytes, longestRest, able, ends } = this;
    const settled = ENDS.reduce((sum, end) => sum + ends[end], 0);
    const lines = [
      `${graphs} graphs, ${submitted} jobs submitted, ${settled} settled, ${executions} executions, ${(bytes / 2 ** 20).toFixed(0)} MiB of large results`,
      `${refused} submissions failed, and ${there} of these were there; the longest rest of a run was ${(longestRest / 1000).toFixed(0)} s of the ${(able / 1000).toFixed(0)} s in which a worker was able`,
      ENDS.map((end) => `${end} ${ends[end]}`).join(", "),
    ];
    for (const fault of FAULTS) {
      const all = [...this.#faults[fault]];
      lines.push(`${fault} ${all.length}`, ...all.slice(0, MOST_DESCRIBED).map((each) => `  ${each}`));
    }
    return lines.join("\n");
  }
}
