/** The graphs that heddle and pg-boss alone are given: by job, the numbers of those before it. */
export const GRAPHS: Record<string, readonly (readonly number[])[]> = {
  "10,000 independent": layers(1, 10_000),
  "10,000 in 20 layers": layers(20, 500),
  "chain of 200": layers(200, 1),
};

/** Layers of jobs, each after two of the layer before. */
function layers(count: number, width: number): number[][] {
  return Array.from({ length: count * width }, (_, k) => {
    const before = (Math.floor(k / width) - 1) * width;
    return before < 0 ? [] : [...new Set([before + (k % width), before + ((7 * k + 1) % width)])];
  });
}
