/** The graphs that heddle and pg-boss alone are given. */
import { Random } from "../soak/random.js";

/** By job, the numbers of those before it. */
export type Prerequisites = readonly (readonly number[])[];

export const GRAPHS: Record<string, Prerequisites> = {
  "1,000 independent": layers(1, 1000),
  "1,000 between two": between(1000),
  "1,000 at random": random(1000),
  "10,000 independent": layers(1, 10_000),
  "10,000 between two": between(10_000),
  "10,000 at random": random(10_000),
  "10,000 in 20 layers": layers(20, 500),
  "chain of 200": layers(200, 1),
};

/** Too large for the embedded database, and for many runs. */
export const LARGE: Record<string, Prerequisites> = { "100,000 independent": layers(1, 100_000) };

/** Layers of jobs, each after two of the layer before. */
function layers(count: number, width: number): number[][] {
  return Array.from({ length: count * width }, (_, k) => {
    const before = (Math.floor(k / width) - 1) * width;
    return before < 0 ? [] : [...new Set([before + (k % width), before + ((7 * k + 1) % width)])];
  });
}

/** All after the first one, and before the last. */
function between(count: number): number[][] {
  const inner = Array.from({ length: count - 2 }, (_, k) => k + 1);
  return [[], ...inner.map(() => [0]), inner];
}

/** Each after up to two of those before it. */
function random(count: number): number[][] {
  const numbers = new Random(1);
  return Array.from({ length: count }, (_, k) => {
    const prerequisites = Array.from({ length: k === 0 ? 0 : numbers.below(3) }, () => numbers.below(k));
    return [...new Set(prerequisites)];
  });
}
