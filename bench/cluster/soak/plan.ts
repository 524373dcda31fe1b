/** A random graph: what is to be submitted, and what each job would give. */
import type { Job } from "heddle";
import type { Cluster, ClusterJob, ClusterJobOptions, Graph } from "heddle/cluster";
import type { Random } from "../../soak/random.js";
import { mixed, type Value, valueFor } from "./values.js";
import * as work from "./work.js";

/** The job functions by kind. `late` ones take longer than they may. */
type JobFunction = (place: work.Place, ...inputs: Job<Value>[]) => Value | Promise<Value>;
export type JobKind = "busy" | "waiting" | "newer" | "flaky" | "late" | "lateBusy" | "failing" | "poison";
const FUNCTIONS: Record<JobKind, JobFunction> = {
  busy: work.busy,
  waiting: work.waiting,
  newer: work.newer,
  flaky: work.flaky,
  late: work.waiting,
  lateBusy: work.busy,
  failing: work.failing,
  poison: work.poison,
};

export interface PlannedJob {
  readonly kind: JobKind;
  /** Jobs whose results it is given. */
  readonly inputs: readonly number[];
  /** Jobs that it only runs after. */
  readonly after: readonly number[];
  readonly place: work.Place;
  readonly options: ClusterJobOptions & { readonly retries: number };
  /** The number that its result stands for. */
  readonly number: number;
}

export interface Plan {
  readonly graph: number;
  readonly jobs: readonly PlannedJob[];
  /** When it is cancelled, in milliseconds after it was submitted, if ever. */
  readonly cancelAfter: number | undefined;
}

const MOST_LAYERS = 7;
const MOST_WIDE = 40;
const LARGEST = 1_000_000;
const LEAST_LARGE = 100_000;
/** One layer in so many is heavy: as wide as can be, all its results are large, and the next one's first job takes them all. */
const HEAVY = 40;
/** In milliseconds. */
const LONGEST_BUSY = 15;
const LONGEST_WAIT = 1000;
const LONGEST_LIMIT = 200;
const AMPLE_LIMIT = 120_000;
const LATEST_CANCEL = 8000;

/** What else may be in a graph: as many without anything that fails for good as with. */
const CHARACTERS = ["clean", "clean", "failing", "poison"] as const;
type Character = (typeof CHARACTERS)[number];

/** @param folder where its jobs write their notes */
export function randomPlan(random: Random, graph: number, folder: string): Plan {
  const character = random.of(CHARACTERS);
  const jobs: PlannedJob[] = [];
  let before: number[] = [];
  let wasHeavy = false;
  for (let layers = 2 + random.below(MOST_LAYERS - 1); layers > 0; layers--) {
    const layer: number[] = [];
    const isHeavy = random.oneIn(HEAVY);
    const width = isHeavy ? MOST_WIDE : 1 + random.below(1 + random.below(MOST_WIDE));
    while (layer.length < width) {
      const bytes = isHeavy || random.oneIn(15) ? LEAST_LARGE + random.below(LARGEST - LEAST_LARGE) : 0;
      layer.push(jobs.length);
      const kind = randomKind(random, character);
      const takesAll = wasHeavy && layer.length === 1;
      const prerequisites = takesAll ? { inputs: before, after: [] } : randomPrerequisites(random, before, jobs.length);
      jobs.push(planned(random, kind, { folder, graph, job: jobs.length }, bytes, prerequisites, jobs));
    }
    before = layer;
    wasHeavy = isHeavy;
  }
  return { graph, jobs, cancelAfter: random.oneIn(6) ? random.below(LATEST_CANCEL) : undefined };
}

/** Adds a plan's jobs to a graph of this cluster. Each is called by its number. */
export function graphOf(cluster: Cluster, { jobs }: Plan): Graph {
  const graph = cluster.graph();
  const handles: ClusterJob<Value>[] = [];
  for (const { kind, inputs, after, place, options } of jobs) {
    const job = graph.spawn(FUNCTIONS[kind], place, ...inputs.map((input) => handles[input]));
    handles.push(job.after(...after.map((first) => handles[first])).with(options));
  }
  return graph;
}

/** What a job gives if it completes. */
export function resultOf({ number, place }: PlannedJob): Value {
  return valueFor(number, place.bytes);
}

interface Prerequisites {
  readonly inputs: readonly number[];
  readonly after: readonly number[];
}

/** Mostly a few of the layer before; now and then all of it, or none, or any job. */
function randomPrerequisites(random: Random, before: readonly number[], job: number): Prerequisites {
  if (before.length === 0 || random.oneIn(12)) return { inputs: [], after: [] };
  const inputs = random.oneIn(10)
    ? before
    : [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.of(before)))];
  return { inputs, after: random.oneIn(5) ? [random.below(job)] : [] };
}

function randomKind(random: Random, character: Character): JobKind {
  if (character === "failing" && random.oneIn(60)) return random.of(["failing", "late", "lateBusy"]);
  if (character === "poison" && random.oneIn(60)) return "poison";
  if (random.oneIn(15)) return "flaky";
  if (random.oneIn(10)) return "newer";
  return random.oneIn(4) ? "waiting" : "busy";
}

function planned(
  random: Random,
  kind: JobKind,
  spot: { folder: string; graph: number; job: number },
  bytes: number,
  { inputs, after }: Prerequisites,
  jobs: readonly PlannedJob[],
): PlannedJob {
  const throws = kind === "flaky" ? 1 + random.below(2) : 0;
  const isLate = kind === "late" || kind === "lateBusy";
  const limit = isLate ? 1 + random.below(LONGEST_LIMIT) : random.oneIn(10) ? AMPLE_LIMIT : undefined;
  const amount = isLate ? 10 * limit! : random.below(kind === "waiting" ? LONGEST_WAIT : LONGEST_BUSY);
  return {
    kind,
    inputs,
    after,
    place: { ...spot, amount, bytes, throws },
    number: mixed(
      spot.job,
      inputs.map((input) => jobs[input].number),
    ),
    options: {
      name: String(spot.job),
      retries: randomRetries(random, kind, throws),
      ...(random.oneIn(4) && { priority: random.of(["high", "normal", "low"] as const) }),
      ...(limit !== undefined && { timeout: limit, kill: random.oneIn(2) }),
    },
  };
}

function randomRetries(random: Random, kind: JobKind, throws: number): number {
  if (kind === "poison" || kind === "failing") return random.below(3);
  // One that fails twice may be tried often enough, or just not.
  if (kind === "flaky") return throws + random.below(3) - (random.oneIn(20) ? 1 : 0);
  return random.oneIn(8) ? 0 : 2 + random.below(3);
}
