/** Renders frame after frame with as many threads as the slider says, and shows how fast that is. */
import { JobSystem } from "heddle";
import { makeFrame } from "./frame.js";
import { render } from "./graph.js";
import { draw, showSpeed, showThreads, slider, tell, whenVisible } from "./page.js";
import { COUNTED, Speed } from "./speed.js";
import * as work from "./work.js";

/** How long one thread takes until it is as fast as it gets and its frames were counted, in milliseconds. */
const ENOUGH = 1000 + COUNTED;

/** How many frames a second one thread makes, once that is known. */
let ofOne: number | undefined;

function start(threads: number): Promise<JobSystem> {
  return JobSystem.create({
    threads,
    modules: [work],
    worker: (options) => new Worker(new URL("./jobs.worker.ts", import.meta.url), { ...options, type: "module" }),
  });
}

/** What to show of a speed. */
function compared(perSecond: number, threads: number): string {
  const speed = `${perSecond.toFixed(1)} frames a second`;
  if (ofOne === undefined) return `${speed}. One thread is measured first …`;
  if (threads === 1) return speed;
  return `${speed}: ${(perSecond / ofOne).toFixed(2)} times as fast as one thread (${ofOne.toFixed(1)})`;
}

/** Renders with a number of threads for as long as `goesOn` says, which is told how long that was. */
async function run(threads: number, goesOn: (milliseconds: number) => boolean): Promise<void> {
  showThreads(threads);
  const jobs = await start(threads);
  const speed = new Speed();
  const time = () => performance.now() / 1000;
  try {
    // While one frame is drawn, the next is rendered.
    let [ready, next] = [makeFrame(), makeFrame()];
    const began = performance.now();
    let rendering = render(jobs, next, time());
    while (goesOn(performance.now() - began)) {
      await rendering;
      [ready, next] = [next, ready];
      speed.count();
      if (await whenVisible()) speed.reset();
      rendering = render(jobs, next, time());
      draw(ready, threads);
      if (speed.perSecond !== undefined) showSpeed(compared(speed.perSecond, threads));
    }
    await rendering;
    if (threads === 1 && performance.now() - began >= ENOUGH) ofOne = speed.perSecond;
  } finally {
    await jobs.shutdown();
  }
}

try {
  const most = Math.max(2, navigator.hardwareConcurrency);
  await run(1, (milliseconds) => milliseconds < ENOUGH);
  slider.max = String(most);
  slider.disabled = false;
  let threads = most;
  slider.addEventListener("input", () => {
    threads = slider.valueAsNumber;
  });
  for (;;) {
    const running = threads;
    await run(running, () => threads === running);
  }
} catch (error) {
  tell(String(error));
  throw error;
}
