/** What is to be known of jobs before they start: results that they are given, and whether they have an outcome already. */
import type { Held } from "./held.js";
import type { Outcome, Store } from "./store.js";

/** In place of an outcome's state: the run was deleted. */
export const NO_RUN = -1;

/** By run and number. */
type Results = ReadonlyMap<string, string>;

export interface Earlier {
  readonly results: Results;
  /** Jobs that need not run, as their run is over for them: the state of their outcome, or NO_RUN. */
  readonly over: ReadonlyMap<Held, number>;
}

/** Asks for all of it at once. */
export async function earlierThan(store: Store, all: readonly Held[]): Promise<Earlier> {
  // Only jobs that were tried before, or given back, can have an outcome.
  const again = all.filter(({ retryCount }) => retryCount > 0);
  const wanted = all.flatMap(({ data, place }) => (data.uses ?? []).map(([, job]) => ({ run: place.run, job })));
  wanted.push(...again.map(({ place }) => place));
  const found = new Map<string, Outcome>();
  if (wanted.length > 0) {
    const unique = new Map(wanted.map((place) => [keyOf(place), place]));
    for (const outcome of await store.outcomes([...unique.values()])) found.set(keyOf(outcome), outcome);
  }
  const over = new Map<Held, number>();
  if (again.length > 0) {
    const runs = await store.statuses([...new Set(again.map(({ place }) => place.run))]);
    const known = new Set(runs.map(({ id }) => id));
    for (const held of again) {
      const before = found.get(keyOf(held.place));
      if (before !== undefined) over.set(held, before.state);
      else if (!known.has(held.place.run)) over.set(held, NO_RUN);
    }
  }
  return { results: new Map([...found].map(([key, { value }]) => [key, value])), over };
}

/** The results that a job is given, in the order of its `uses`. */
export function resultsFor({ data, place }: Held, results: Results): string[] {
  return (data.uses ?? []).map(([, job]) => results.get(keyOf({ run: place.run, job }))!);
}

function keyOf({ run, job }: { run: string; job: number }): string {
  return `${run} ${job}`;
}
