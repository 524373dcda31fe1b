/** Memory of live jobs. Each process measures once, as memory that was touched before would not show. */
import type { Job } from "heddle";
import { collectGarbage } from "./collect-garbage.js";
import type { Row } from "./rows.js";
import { withSystem } from "./system.js";
import * as work from "./work.js";

const MILLION = 1_000_000;

/**
 * The shared memory reserves far more addresses than it uses, and no counter of Node's tells how much of it is in
 * use. What the machine really spends is the pages that were touched: the growth of the resident set, less that
 * of the JavaScript heap, which holds the handles.
 */
function outsideHeap(): number {
  const { rss, heapTotal } = process.memoryUsage();
  return rss - heapTotal;
}

export function memory(threads: number): Promise<Row[]> {
  return withSystem(threads, async (jobs) => {
    const handles: (Job<void> | undefined)[] = new Array(MILLION).fill(undefined);
    collectGarbage();
    const [sharedBefore, heapBefore] = [outsideHeap(), process.memoryUsage().heapUsed];
    for (let k = 0; k < MILLION; k++) handles[k] = jobs.spawn(work.nothing);
    collectGarbage();
    const shared = (outsideHeap() - sharedBefore) / MILLION;
    const heap = (process.memoryUsage().heapUsed - heapBefore) / handles.length;
    return [
      { name: "memory, shared, per live job", unit: "bytes", samples: [shared] },
      { name: "memory, heap, per handle", unit: "bytes", samples: [heap] },
    ];
  });
}
