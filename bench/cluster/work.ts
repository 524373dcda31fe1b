/** What the benchmarks of the cluster run. */
import { appendFileSync, readFileSync } from "node:fs";
import { group } from "heddle/job";

export function nothing(number: number): number {
  return number;
}

/** Many small local jobs in one of the cluster. */
export function many(count: number): number {
  const all = group();
  for (let k = 0; k < count; k++) all.run(nothing, k);
  all.wait();
  return count;
}

/** Notes when it starts; the first time, it does not end. */
export async function holdFirst(file: string): Promise<void> {
  appendFileSync(file, `${Date.now()}\n`);
  if (readFileSync(file, "utf8").split("\n").length > 2) return;
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
}
