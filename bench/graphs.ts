/** Graphs of empty jobs, built by the main thread. */
import type { Job, JobSystem } from "heddle";
import { randomDag } from "./random-dag.js";
import type { Row } from "./rows.js";
import { counted, nsPerJob } from "./runs.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const WARM_UPS = 10;
const COUNT = 100_000;
const SIDE = 500;

/** A graph whose last job comes after all others. */
interface Graph {
  readonly last: Job<void>;
  readonly count: number;
}

function chain(jobs: JobSystem): Graph {
  let last = jobs.spawn(work.nothing);
  for (let k = 1; k < COUNT; k++) last = last.then(jobs.spawn(work.nothing));
  return { last, count: COUNT };
}

/** Each cell comes after its left and its upper neighbour. */
function wavefront(jobs: JobSystem): Graph {
  let row: Job<void>[] = [];
  for (let y = 0; y < SIDE; y++) {
    const next: Job<void>[] = [];
    for (let x = 0; x < SIDE; x++) {
      const cell = jobs.spawn(work.nothing);
      if (x > 0) next[x - 1].then(cell);
      if (y > 0) row[x].then(cell);
      next.push(cell);
    }
    row = next;
  }
  return { last: row[SIDE - 1], count: SIDE * SIDE };
}

function fan(jobs: JobSystem): Graph {
  const first = jobs.spawn(work.nothing);
  const last = jobs.spawn(work.nothing);
  for (let k = 0; k < COUNT; k++) first.then(jobs.spawn(work.nothing)).then(last);
  return { last, count: COUNT + 2 };
}

const dag = randomDag(COUNT);

function random(jobs: JobSystem): Graph {
  const made: Job<void>[] = [];
  for (const prerequisites of dag) {
    const job = jobs.spawn(work.nothing);
    for (const first of prerequisites) made[first].then(job);
    made.push(job);
  }
  return { last: made[COUNT], count: made.length };
}

/** Times the whole, and separately from scheduling the last job to its end. */
function timed(name: string, build: (jobs: JobSystem) => Graph): (threads: number) => Promise<Row[]> {
  return (threads) =>
    withSystem(threads, async (jobs) => {
      const runs = await counted(WARM_UPS, async () => {
        const start = performance.now();
        const { last, count } = build(jobs);
        const built = performance.now();
        await last;
        return { whole: nsPerJob(start, count), run: nsPerJob(built, count) };
      });
      return [
        { name: `${name}, built and run`, unit: "ns/job", samples: runs.map(({ whole }) => whole) },
        { name: `${name}, run only`, unit: "ns/job", samples: runs.map(({ run }) => run) },
      ];
    });
}

export const GRAPHS = {
  chain: timed("chain", chain),
  wavefront: timed("wavefront", wavefront),
  fan: timed("fan", fan),
  "random-dag": timed("random-dag", random),
};
