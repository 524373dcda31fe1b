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

  /** The means of the three thirds of the run, and the most in each: what grows without bound grows after the first as well. */
  summary(): string {
    const { length } = this.#samples;
    const thirds = [0, 1, 2].map((k) => {
      const start = Math.floor((k * length) / 3);
      return this.#samples.slice(start, Math.max(start + 1, Math.floor(((k + 1) * length) / 3)));
    });
    const lines = (["resident", "shared", "heap"] as const).map((what) => {
      const cells = thirds.map((samples) => `${meanOf(samples, what)} (${mostOf(samples, what)})`);
      return `| ${what} | ${cells.join(" | ")} |`;
    });
    return ["| mean (most), MiB | first third | second | last |", "|---|--:|--:|--:|", ...lines].join("\n");
  }
}

function meanOf(samples: readonly Sample[], what: keyof Sample): string {
  return inMebibytes(samples.reduce((sum, sample) => sum + sample[what], 0) / samples.length);
}

function mostOf(samples: readonly Sample[], what: keyof Sample): string {
  return inMebibytes(Math.max(...samples.map((sample) => sample[what])));
}
