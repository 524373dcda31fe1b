/** Memory over time: whether it grows without bound. */

const MEBIBYTE = 2 ** 20;
const inMebibytes = (bytes: number) => (bytes / MEBIBYTE).toFixed(1);

interface Sample {
  readonly resident: number;
  readonly shared: number;
  readonly heap: number;
}

export class MemoryLog {
  readonly #samples: Sample[] = [];

  sample(): void {
    const { rss, arrayBuffers, heapUsed } = process.memoryUsage();
    this.#samples.push({ resident: rss, shared: arrayBuffers, heap: heapUsed });
  }

  /** The last sample, as cells of a table. */
  cells(): string[] {
    const { resident, shared, heap } = this.#samples[this.#samples.length - 1];
    return [resident, shared, heap].map(inMebibytes);
  }

  /** The means of the first and the last quarter. */
  summary(): string {
    const quarter = Math.max(1, this.#samples.length >> 2);
    const first = this.#samples.slice(0, quarter);
    const last = this.#samples.slice(-quarter);
    return (["resident", "shared", "heap"] as const)
      .map((what) => `${what} ${meanOf(first, what)} → ${meanOf(last, what)} MiB`)
      .join(", ");
  }
}

function meanOf(samples: readonly Sample[], what: keyof Sample): string {
  return inMebibytes(samples.reduce((sum, sample) => sum + sample[what], 0) / samples.length);
}
