/** The shared arrays that the jobs work on. */
import { shared } from "heddle";
import { BINS, HOURS } from "./summary.js";

/** No record is shorter, so this bounds how many a part can hold. */
export const SHORTEST_RECORD = '{"delay":0,"distance":0,"time":0}'.length;

/** Words of a record in `records`: delay, distance bin, hour. */
export const RECORD_WORDS = 3;

/** Words of a part's row in `histograms`: count and sum of delays for each hour, then for each bin. */
export const ROW = 2 * (HOURS + BINS);

export interface Tables {
  readonly parts: number;
  /** The file's bytes. */
  readonly text: Uint8Array;
  /** Where each part's bytes begin; one more for the end of the last. */
  readonly bounds: Int32Array;
  /** The flights, each part's at a place of its own. */
  readonly records: Int32Array;
  /** How many flights each part has. */
  readonly counts: Int32Array;
  readonly histograms: Float64Array;
  /** Where the delays of each part and hour go in `delays`; the last row: where each hour begins. */
  readonly places: Int32Array;
  /** All delays, by hour. */
  readonly delays: Int32Array;
  /** Median and 99th percentile of each hour. */
  readonly quantiles: Float64Array;
}

/** Makes the tables for a file, cut into `parts` parts between records. */
export function makeTables(file: Uint8Array, parts: number): Tables {
  const text = shared(Uint8Array, file);
  const bounds = shared(Int32Array, parts + 1);
  for (let part = 1; part < parts; part++) {
    bounds[part] = Math.max(bounds[part - 1], nextRecord(file, Math.floor((file.length * part) / parts)));
  }
  bounds[parts] = file.length;
  const most = Math.ceil(file.length / SHORTEST_RECORD) + parts;
  return {
    parts,
    text,
    bounds,
    records: shared(Int32Array, most * RECORD_WORDS),
    counts: shared(Int32Array, parts),
    histograms: shared(Float64Array, parts * ROW),
    places: shared(Int32Array, (parts + 1) * HOURS),
    delays: shared(Int32Array, most),
    quantiles: shared(Float64Array, HOURS * 2),
  };
}

/** Where a part's records begin in `records`, counted in records. */
export function firstRecord(tables: Tables, part: number): number {
  return Math.ceil(tables.bounds[part] / SHORTEST_RECORD) + part;
}

const BRACE = "{".charCodeAt(0);

function nextRecord(file: Uint8Array, from: number): number {
  const at = file.indexOf(BRACE, from);
  return at < 0 ? file.length : at;
}
