/** How much of the time the main thread collects garbage while it runs a million jobs with handles. */
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Row } from "./rows.js";
import { counted } from "./runs.js";
import { keptHandles } from "./submit.js";
import { withSystem } from "./system.js";

const WARM_UPS = 3;
/** The observer is told of collections a little later. */
const TOLD_AFTER = 100;

export async function gcShare(threads: number): Promise<Row[]> {
  const collections: { startTime: number; duration: number }[] = [];
  const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
  observer.observe({ entryTypes: ["gc"] });
  const runs = await withSystem(threads, (jobs) =>
    counted(WARM_UPS, async () => {
      const start = performance.now();
      await keptHandles(jobs);
      return { start, end: performance.now() };
    }),
  );
  await pause(TOLD_AFTER);
  observer.disconnect();
  const samples = runs.map(({ start, end }) => {
    const during = collections.filter(({ startTime }) => startTime >= start && startTime < end);
    return (during.reduce((sum, { duration }) => sum + duration, 0) / (end - start)) * 100;
  });
  return [{ name: "garbage collection, share of time (handles, all kept)", unit: "%", samples }];
}
