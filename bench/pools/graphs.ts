/** The graphs of ../graphs.ts with a pool: promises on the main thread hold what comes after what. */
import { randomDag } from "../random-dag.js";
import type { Row } from "../rows.js";
import { counted, nsPerJob } from "../runs.js";
import type { Pool } from "./pools.js";

const WARM_UPS = 1;
/** A tenth of heddle's size: their cost per task does not depend on it, and they take long. */
const COUNT = 10_000;
const SIDE = 100;

/** The prerequisites of each task, in an order in which they can be made; the last comes after all. */
type Shape = readonly (readonly number[])[];

const chain: Shape = Array.from({ length: COUNT }, (_, k) => (k === 0 ? [] : [k - 1]));

const wavefront: Shape = Array.from({ length: SIDE * SIDE }, (_, k) => {
  const left = k % SIDE > 0 ? [k - 1] : [];
  return k >= SIDE ? [...left, k - SIDE] : left;
});

const middle = Array.from({ length: COUNT }, (_, k) => k + 1);
const fan: Shape = [[], ...middle.map(() => [0]), middle];

async function runAll(pool: Pool, shape: Shape): Promise<void> {
  const run = () => pool.run();
  const made: PromiseLike<unknown>[] = [];
  for (const prerequisites of shape) {
    const [first] = prerequisites;
    if (first === undefined) made.push(run());
    else if (prerequisites.length === 1) made.push(made[first].then(run));
    else made.push(Promise.all(prerequisites.map((k) => made[k])).then(run));
  }
  await made[made.length - 1];
}

function timed(name: string, shape: Shape): (pool: Pool) => Promise<Row[]> {
  return async (pool) => {
    const samples = await counted(WARM_UPS, async () => {
      const start = performance.now();
      await runAll(pool, shape);
      return nsPerJob(start, shape.length);
    });
    const note = `${shape.length.toLocaleString("en")} jobs`;
    return [{ name: `${name}, built and run`, unit: "ns/job", samples, note }];
  };
}

export const POOL_GRAPHS = {
  chain: timed("chain", chain),
  wavefront: timed("wavefront", wavefront),
  fan: timed("fan", fan),
  "random-dag": timed("random-dag", randomDag(COUNT)),
};
