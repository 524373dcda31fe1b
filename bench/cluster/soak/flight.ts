/** Runs a plan on the cluster: submits it, waits for its end, asks for all results. */
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Run } from "heddle/cluster";
import { checkOutcomes, type Outcome } from "./check.js";
import { killsIn } from "./kills.js";
import type { Notes } from "./notes.js";
import { graphOf, type Plan } from "./plan.js";
import type { Tally } from "./tally.js";

/** After an error of the database's, in milliseconds. */
const AGAIN_AFTER = 500;
/** How often to look whether a run is there whose submission threw. */
const LOOKS = 4;
const MOST_RUNS = 1000;
/** A submission is there or has thrown by then, as no fault lasts for so long, in milliseconds. */
const LONGEST_SUBMISSION = 90_000;
/** Outcomes of a run that has ended are there: so long it may take to read them, in milliseconds. */
const LONGEST_READ = 120_000;

/** A run that is under way. */
export class Flight {
  readonly plan: Plan;
  readonly id: string;
  /** Aborted when it is no use to wait for it any more. */
  readonly givenUp = new AbortController();
  /** Whether somebody has asked for it to be cancelled. */
  cancelled = false;

  constructor(plan: Plan, id: string) {
    this.plan = plan;
    this.id = id;
  }
}

export interface Sky {
  /** Connected with the server itself. */
  readonly monitor: Cluster;
  readonly notes: Notes;
  readonly tally: Tally;
  readonly flights: Set<Flight>;
  /** All that were to be submitted. */
  readonly plans: readonly Plan[];
}

/** @param cluster who submits, perhaps through a proxy @returns whether it was submitted */
export async function fly(
  { monitor, notes, tally, flights, plans }: Sky,
  cluster: Cluster,
  plan: Plan,
): Promise<boolean> {
  const run = await submit(monitor, cluster, plan, tally);
  if (run === undefined) return false;
  tally.graphs++;
  tally.submitted += plan.jobs.length;
  const flight = new Flight(plan, run.id);
  flights.add(flight);
  const cancelling =
    plan.cancelAfter === undefined ? undefined : setTimeout(() => void cancel(run, flight), plan.cancelAfter);
  const { signal } = flight.givenUp;
  const givenUp = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
  const report = await Promise.race([run.done, givenUp]);
  clearTimeout(cancelling);
  if (report !== undefined) {
    const outcomes = await outcomesOf(run, plan);
    notes.read();
    checkOutcomes({ plan, outcomes, cancelled: flight.cancelled }, notes, killsIn(plans, notes), tally);
    const { completed, failed, cancelled } = report;
    const done = outcomes.filter((outcome) => outcome !== undefined && "value" in outcome).length;
    if (completed !== done || completed + failed + cancelled !== plan.jobs.length) {
      tally.note(
        "wrong",
        `graph ${plan.graph}: the report counts ${completed} completed, ${failed} failed, ${cancelled} cancelled; ${done} of ${plan.jobs.length} have a result`,
      );
    }
  }
  flights.delete(flight);
  return true;
}

/** @returns undefined if it could not be submitted, as far as can be told */
async function submit(monitor: Cluster, cluster: Cluster, plan: Plan, tally: Tally): Promise<Run | undefined> {
  const name = `graph ${plan.graph}`;
  const graph = graphOf(cluster, plan);
  const late = setTimeout(() => {
    tally.note("stuck", `${name} was neither submitted nor refused after ${LONGEST_SUBMISSION / 1000} s`);
  }, LONGEST_SUBMISSION);
  try {
    return await cluster.submit(graph, { name });
  } catch {
    tally.refused++;
  } finally {
    clearTimeout(late);
  }
  for (let look = 0; look < LOOKS; look++) {
    await delay(AGAIN_AFTER);
    const found = (await persist(() => monitor.runs({ limit: MOST_RUNS }))).find((status) => status.name === name);
    if (found === undefined) continue;
    tally.there++;
    return await persist(() => cluster.attach(found.id));
  }
}

export async function cancel(run: Run, flight: Flight): Promise<void> {
  flight.cancelled = true;
  await persist(() => run.cancel());
}

/** By job; undefined where there is none. */
async function outcomesOf(run: Run, { jobs }: Plan): Promise<(Outcome | undefined)[]> {
  const outcomes: (Outcome | undefined)[] = jobs.map(() => undefined);
  const all = jobs.map(async (_, job) => {
    try {
      outcomes[job] = { value: await run.result(String(job)) };
    } catch (error) {
      outcomes[job] = { error };
    }
  });
  const late = new AbortController();
  await Promise.race([Promise.all(all), delay(LONGEST_READ, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
  return outcomes;
}

/** Asks again until the database answers. */
export async function persist<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await delay(AGAIN_AFTER);
    }
  }
}
