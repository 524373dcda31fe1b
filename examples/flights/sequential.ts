/** The same results, computed plainly: what the test holds the graph of jobs against. */
import { BINS, binOf, type Flight, HOURS, hourOf, mean, quantile, type Summary } from "./summary.js";

export function summarize(text: string): Summary {
  const flights = JSON.parse(text) as Flight[];
  const hours = Array.from({ length: HOURS }, (_, hour) => {
    const delays = flights.filter((flight) => hourOf(flight) === hour).map((flight) => flight.delay);
    delays.sort((a, b) => a - b);
    return { flights: delays.length, mean: meanOf(delays), median: quantile(delays, 0.5), p99: quantile(delays, 0.99) };
  });
  const distances = Array.from({ length: BINS }, (_, bin) => {
    const delays = flights.filter((flight) => binOf(flight) === bin).map((flight) => flight.delay);
    return { flights: delays.length, mean: meanOf(delays) };
  });
  return { flights: flights.length, hours, distances };
}

function meanOf(values: readonly number[]): number {
  return mean(
    values.reduce((sum, value) => sum + value, 0),
    values.length,
  );
}
