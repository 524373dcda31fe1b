/** The job functions. All work on shared tables; none copies data. */
import { BINS, binOf, type Flight, HOURS, hourOf, isFlight, mean, quantile, type Summary } from "./summary.js";
import { firstRecord, RECORD_WORDS, ROW, type Tables } from "./tables.js";

/** Parses one part of the file into records. */
export function parsePart(tables: Tables, part: number): void {
  const { records, counts } = tables;
  const flights = readPart(tables, part);
  let at = firstRecord(tables, part) * RECORD_WORDS;
  for (const flight of flights) {
    records[at++] = flight.delay;
    records[at++] = binOf(flight);
    records[at++] = hourOf(flight);
  }
  counts[part] = flights.length;
}

/** Counts one part's flights and adds up their delays, by hour and by distance. */
export function countPart(tables: Tables, part: number): void {
  const { records, counts, histograms } = tables;
  const row = histograms.subarray(part * ROW, (part + 1) * ROW).fill(0);
  const from = firstRecord(tables, part) * RECORD_WORDS;
  for (let at = from; at < from + counts[part] * RECORD_WORDS; at += RECORD_WORDS) {
    const delay = records[at];
    row[2 * records[at + 2]]++;
    row[2 * records[at + 2] + 1] += delay;
    row[2 * (HOURS + records[at + 1])]++;
    row[2 * (HOURS + records[at + 1]) + 1] += delay;
  }
}

/** Finds the place for the delays of each hour and part. */
export function placeHours(tables: Tables): void {
  const { parts, histograms, places } = tables;
  let next = 0;
  for (let hour = 0; hour < HOURS; hour++) {
    places[parts * HOURS + hour] = next;
    for (let part = 0; part < parts; part++) {
      places[part * HOURS + hour] = next;
      next += histograms[part * ROW + 2 * hour];
    }
  }
}

/** Puts one part's delays where those of their hour are collected. */
export function scatterPart(tables: Tables, part: number): void {
  const { records, counts, places, delays } = tables;
  const next = places.slice(part * HOURS, (part + 1) * HOURS);
  const from = firstRecord(tables, part) * RECORD_WORDS;
  for (let at = from; at < from + counts[part] * RECORD_WORDS; at += RECORD_WORDS) {
    delays[next[records[at + 2]]++] = records[at];
  }
}

/** Sorts one hour's delays and takes their median and 99th percentile. */
export function sortHour(tables: Tables, hour: number): void {
  const { delays, quantiles } = tables;
  const start = hourStart(tables, hour);
  const sorted = delays.subarray(start, hourStart(tables, hour + 1)).sort();
  quantiles[2 * hour] = quantile(sorted, 0.5);
  quantiles[2 * hour + 1] = quantile(sorted, 0.99);
}

/** Merges what the parts and the hours have found. */
export function merge(tables: Tables): Summary {
  const { parts, histograms, quantiles } = tables;
  const total = new Float64Array(ROW);
  for (let part = 0; part < parts; part++) {
    for (let k = 0; k < ROW; k++) total[k] += histograms[part * ROW + k];
  }
  const hours = Array.from({ length: HOURS }, (_, hour) => ({
    flights: total[2 * hour],
    mean: mean(total[2 * hour + 1], total[2 * hour]),
    median: quantiles[2 * hour],
    p99: quantiles[2 * hour + 1],
  }));
  const distances = Array.from({ length: BINS }, (_, bin) => ({
    flights: total[2 * (HOURS + bin)],
    mean: mean(total[2 * (HOURS + bin) + 1], total[2 * (HOURS + bin)]),
  }));
  return { flights: hours.reduce((sum, hour) => sum + hour.flights, 0), hours, distances };
}

/** Reads a part as an array of its own. Only the file's own brackets begin the first part and end the last. */
function readPart({ text, bounds }: Tables, part: number): Flight[] {
  const [from, to] = [bounds[part], bounds[part + 1]];
  if (from === to && from > 0) return [];
  let json = new TextDecoder().decode(text.slice(from, to));
  if (from > 0) json = `[${json}`;
  if (to < text.length) json = json.replace(/(,|^\s*\[)\s*$/, (end) => (end.startsWith(",") ? "]" : "[]"));
  const flights: unknown = JSON.parse(json);
  if (!Array.isArray(flights)) throw new TypeError("it holds something else");
  for (const flight of flights) {
    if (!isFlight(flight)) throw new TypeError(`no delay, distance and time of a flight: ${JSON.stringify(flight)}`);
  }
  return flights;
}

function hourStart({ parts, places, counts }: Tables, hour: number): number {
  if (hour < HOURS) return places[parts * HOURS + hour];
  return counts.reduce((sum, count) => sum + count, 0);
}
