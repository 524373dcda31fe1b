/** What a worker asks about jobs before it starts them: whether they have an outcome already, and the small results that they are given. */
import type { Held } from "./held.js";
import type { SizedOutcome, Store } from "./store.js";

/** In place of an outcome's state: the run was deleted. */
export const NO_RUN = -1;
/** The most bytes of a result that is read together with others', before it is known which job begins next. */
const SMALL = 4096;
/** The most results of such jobs that one job is given; and the most that are read at once. */
const FEW = 256;
const MOST_AT_ONCE = 4096;

/** By run and number. */
type Results = ReadonlyMap<string, SizedOutcome>;

export interface Earlier {
  readonly results: Results;
  /** Jobs that need not run, as their run is over for them: the state of their outcome, or NO_RUN. */
  readonly over: ReadonlyMap<Held, number>;
}

/** Asks for all of it at once. */
export async function earlierThan(store: Store, all: readonly Held[]): Promise<Earlier> {
  // Only jobs that were tried before, or given back, can have an outcome.
  const again = all.filter(({ retryCount }) => retryCount > 0);
  const wanted = all.filter(hasFew).flatMap(({ data, place }) => usesOf(data.uses, place.run));
  wanted.push(...again.map(({ place }) => place));
  const found = new Map<string, SizedOutcome>();
  if (wanted.length > 0) {
    const unique = new Map(wanted.map((place) => [keyOf(place), place]));
    for (const outcome of await store.smallOutcomes([...unique.values()], SMALL)) found.set(keyOf(outcome), outcome);
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
  return { results: found, over };
}

/** Splits jobs, so that what is read for each part is not too much. */
export function* parts(all: readonly Held[]): Generator<Held[]> {
  let part: Held[] = [];
  let uses = 0;
  for (const held of all) {
    const more = hasFew(held) ? (held.data.uses?.length ?? 0) : 0;
    if (uses + more > MOST_AT_ONCE) {
      yield part;
      part = [];
      uses = 0;
    }
    part.push(held);
    uses += more;
  }
  if (part.length > 0) yield part;
}

/** The results that a job is given, in the order of its `uses`; undefined where they are large, or many. */
export function smallResultsFor(held: Held, results: Results): string[] | undefined {
  if (!hasFew(held)) return undefined;
  const texts: string[] = [];
  for (const place of usesOf(held.data.uses, held.place.run)) {
    const value = results.get(keyOf(place))?.value ?? null;
    if (value === null) return undefined;
    texts.push(value);
  }
  return texts;
}

function hasFew({ data }: Held): boolean {
  return (data.uses?.length ?? 0) <= FEW;
}

function usesOf(uses: Held["data"]["uses"] = [], run: string): { run: string; job: number }[] {
  return uses.map(([, job]) => ({ run, job }));
}

function keyOf({ run, job }: { run: string; job: number }): string {
  return `${run} ${job}`;
}
