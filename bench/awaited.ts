/** Awaited runs, by heddle and by pools alike. */
import { setTimeout as pause } from "node:timers/promises";
import { quantile, type Row } from "./rows.js";
import { counted, nsPerJob } from "./runs.js";

/** Runs an empty job or task. */
export type Run = () => PromiseLike<unknown>;

const IN_FLIGHT = 200_000;
const HOT_TRIPS = 5000;
const PARKED_TRIPS = 200;
/** Long enough that the workers have gone to sleep. */
const PARKED_AFTER = 20;

async function inFlight(run: Run, warmUps: number): Promise<Row[]> {
  const timed = (whole: () => Promise<unknown>) =>
    counted(warmUps, async () => {
      const start = performance.now();
      await whole();
      return nsPerJob(start, IN_FLIGHT);
    });
  const all = await timed(() => Promise.all(Array.from({ length: IN_FLIGHT }, run)));
  const each = await timed(async () => {
    for (const result of Array.from({ length: IN_FLIGHT }, run)) await result;
  });
  return [
    { name: "awaited, Promise.all", unit: "ns/job", samples: all },
    { name: "awaited, one after the other", unit: "ns/job", samples: each },
  ];
}

/** One after the other, each timed. */
async function roundTrips(name: string, trips: number, rest: () => unknown, run: Run, warmUps: number): Promise<Row[]> {
  const runs = await counted(warmUps, async () => {
    const microseconds: number[] = [];
    for (let trip = 0; trip < trips; trip++) {
      await rest();
      const start = performance.now();
      await run();
      microseconds.push((performance.now() - start) * 1000);
    }
    return { p50: quantile(microseconds, 0.5), p99: quantile(microseconds, 0.99) };
  });
  return [
    { name: `${name}, p50`, unit: "µs", samples: runs.map(({ p50 }) => p50) },
    { name: `${name}, p99`, unit: "µs", samples: runs.map(({ p99 }) => p99) },
  ];
}

export const AWAITED = {
  awaited: inFlight,
  "round-trip-hot": (run: Run, warmUps: number) =>
    roundTrips("round trip, hot", HOT_TRIPS, () => undefined, run, warmUps),
  "round-trip-parked": (run: Run) => roundTrips("round trip, parked", PARKED_TRIPS, () => pause(PARKED_AFTER), run, 0),
};
