/** What is measured: one row for each quantity, with all its samples. */

export interface Row {
  /** What was measured. Rows of heddle and of its peers with the same name are compared. */
  readonly name: string;
  readonly unit: string;
  readonly samples: number[];
  /** Where a peer did it in another size than heddle. */
  readonly note?: string;
}

export function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1];
}

/** The value below which `share` of the samples lie. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
