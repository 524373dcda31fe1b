/** What is computed of the flights, and the definitions that both computations share. */

/** Distances are counted in bins of so many miles; the last bin takes all longer flights. */
export const BIN_MILES = 250;
export const BINS = 12;
export const HOURS = 24;

/** One flight, as in the data: delay in minutes, distance in miles, time of day in hours. */
export interface Flight {
  readonly delay: number;
  readonly distance: number;
  readonly time: number;
}

/** Whether a value of the data is a flight: whole minutes of delay, a distance, and a time within the day. */
export function isFlight(value: unknown): value is Flight {
  const { delay, distance, time } = (value ?? {}) as Partial<Record<keyof Flight, unknown>>;
  if (typeof delay !== "number" || typeof distance !== "number" || typeof time !== "number") return false;
  return (delay | 0) === delay && distance >= 0 && time >= 0 && time <= HOURS;
}

export interface HourSummary {
  readonly flights: number;
  readonly mean: number;
  readonly median: number;
  readonly p99: number;
}

export interface Summary {
  readonly flights: number;
  readonly hours: readonly HourSummary[];
  readonly distances: readonly { readonly flights: number; readonly mean: number }[];
}

export function hourOf(flight: Flight): number {
  return Math.min(HOURS - 1, Math.floor(flight.time));
}

export function binOf(flight: Flight): number {
  return Math.min(BINS - 1, Math.floor(flight.distance / BIN_MILES));
}

/** The nearest-rank quantile of sorted values: the smallest that at least `q` of them do not exceed. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  return sorted.length === 0 ? Number.NaN : sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

export function mean(sum: number, count: number): number {
  return count === 0 ? Number.NaN : sum / count;
}
