/** What one run of the benchmarks found, and its table. */
import { median, type Row } from "./rows.js";
import { RUNS } from "./runs.js";

/** A row with who did it: heddle or one of its peers. */
export interface Result extends Row {
  readonly subject: string;
}

export interface Report {
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly threads: number;
  };
  readonly results: Result[];
}

export const HEDDLE = "heddle";

export function headline({ machine }: Report): string {
  return `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.threads} threads`;
}

export const TABLE_HEAD = [
  "| workload | unit | heddle | min–max | peer | its median | heddle ÷ peer |",
  "|---|---|--:|--:|---|--:|--:|",
].join("\n");

export const TABLE_FOOT = `Medians of ${RUNS} runs after a warm-up. heddle ÷ peer below 1: heddle takes less.
heddle and the pools have the main thread besides their threads; the native peers have it among them.`;

/** The lines of the table for what one benchmark found: heddle's rows, each with the peers that share it. */
export function tableLines(results: readonly Result[]): string {
  const lines: string[] = [];
  for (const ours of results.filter(({ subject }) => subject === HEDDLE)) {
    const peers = results.filter(({ subject, name }) => subject !== HEDDLE && name === ours.name);
    const head = [ours.name, ours.unit, digits(median(ours.samples)), range(ours.samples)];
    if (peers.length === 0) lines.push(line([...head, "", "", ""]));
    for (const [k, peer] of peers.entries()) {
      const ratio = digits(median(ours.samples) / median(peer.samples));
      const rest = [peer.subject + remark(peer), digits(median(peer.samples)), ratio];
      lines.push(line([...(k === 0 ? head : [ours.name, "", "", ""]), ...rest]));
    }
  }
  return lines.join("\n");
}

const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;

function range(samples: readonly number[]): string {
  return `${digits(Math.min(...samples))}–${digits(Math.max(...samples))}`;
}

/** How the peer's measurement differs from heddle's. */
function remark({ note, samples }: Row): string {
  const parts = note === undefined ? [] : [note];
  if (samples.length < RUNS) parts.push(`${samples.length} runs`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

/** Three significant digits, and all digits before the point. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}
