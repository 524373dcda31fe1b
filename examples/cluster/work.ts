/** The flights again, by parts of a file that each machine reads for itself: plain values in, plain values out. */
import { open } from "node:fs/promises";
import type { Job } from "heddle/job";
import { BINS, binOf, type Flight, HOURS, hourOf, isFlight, mean, quantile, type Summary } from "../flights/summary.js";

/** What one part of the file gives. */
export interface PartSummary {
  /** The delays of its flights, by hour. */
  readonly delays: readonly Int32Array[];
  /** Flights and the sum of their delays, for each distance. */
  readonly counts: Int32Array;
  readonly sums: Float64Array;
}

/** Reads the bytes `from` to `to` of a file of flights, cut between records. */
export async function readPart(file: string, from: number, to: number): Promise<PartSummary> {
  const flights = await flightsIn(file, from, to);
  const delays: number[][] = Array.from({ length: HOURS }, () => []);
  const counts = new Int32Array(BINS);
  const sums = new Float64Array(BINS);
  for (const flight of flights) {
    delays[hourOf(flight)].push(flight.delay);
    counts[binOf(flight)]++;
    sums[binOf(flight)] += flight.delay;
  }
  return { delays: delays.map((each) => Int32Array.from(each)), counts, sums };
}

/** Puts two parts' findings together. */
export function join(first: Job<PartSummary>, second: Job<PartSummary>): PartSummary {
  const [a, b] = [first.wait(), second.wait()];
  return {
    delays: a.delays.map((delays, hour) => Int32Array.of(...delays, ...b.delays[hour])),
    counts: a.counts.map((count, bin) => count + b.counts[bin]),
    sums: a.sums.map((sum, bin) => sum + b.sums[bin]),
  };
}

export function summarize(all: Job<PartSummary>): Summary {
  const { delays, counts, sums } = all.wait();
  const hours = delays.map((each) => {
    const sorted = each.toSorted();
    const sum = each.reduce((total, delay) => total + delay, 0);
    const [median, p99] = [quantile(sorted, 0.5), quantile(sorted, 0.99)];
    return { flights: each.length, mean: mean(sum, each.length), median, p99 };
  });
  const distances = Array.from(counts, (flights, bin) => ({ flights, mean: mean(sums[bin], flights) }));
  return { flights: hours.reduce((total, hour) => total + hour.flights, 0), hours, distances };
}

/** The records that begin within the bytes. */
async function flightsIn(file: string, from: number, to: number): Promise<Flight[]> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from + LONGEST_RECORD), 0, null, from);
    const text = buffer.toString("latin1", 0, bytesRead);
    const begin = text.indexOf("{");
    // The last record that begins before `to` ends after it.
    const end = text.indexOf("}", text.lastIndexOf("{", to - from - 1));
    if (begin < 0 || begin >= to - from) return [];
    const flights: unknown[] = JSON.parse(`[${text.slice(begin, end + 1)}]`);
    if (!flights.every(isFlight)) throw new TypeError(`${file} holds something else than flights`);
    return flights;
  } finally {
    await handle.close();
  }
}

/** In bytes. */
const LONGEST_RECORD = 200;
