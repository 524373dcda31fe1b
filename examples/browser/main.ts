/** Renders frame after frame with as many threads as the slider says, and shows how fast that is. */
import { JobSystem } from "heddle";
import { HEIGHT, makeFrame, WIDTH } from "./frame.js";
import { render } from "./graph.js";
import { drawTimeline } from "./timeline.js";
import * as work from "./work.js";

/** How long frames are counted before one thread's speed is known, and for the speed that is shown, in milliseconds. */
const WARM_UP = 1000;
const MEASURED = 2000;

const picture = element<HTMLCanvasElement>("picture");
const timeline = element<HTMLCanvasElement>("timeline");
const slider = element<HTMLInputElement>("threads");
const count = element<HTMLOutputElement>("count");
const rate = element<HTMLElement>("rate");

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function start(threads: number): Promise<JobSystem> {
  return JobSystem.create({
    threads,
    modules: [work],
    worker: (options) => new Worker(new URL("./jobs.worker.ts", import.meta.url), { ...options, type: "module" }),
  });
}

const nextPaint = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** How many frames a second the jobs alone would make: lately, without the pauses in which the browser paints. */
class Speed {
  readonly #frames: { readonly at: number; readonly took: number }[] = [];

  add(took: number): void {
    const at = performance.now();
    this.#frames.push({ at, took });
    while (at - this.#frames[0].at > MEASURED) this.#frames.shift();
  }

  get perSecond(): number {
    const all = this.#frames.reduce((sum, { took }) => sum + took, 0);
    return (1000 * this.#frames.length) / all;
  }
}

const most = Math.max(2, navigator.hardwareConcurrency);
slider.max = String(most);
Object.assign(picture, { width: WIDTH, height: HEIGHT });
const context = picture.getContext("2d") as CanvasRenderingContext2D;
const image = context.createImageData(WIDTH, HEIGHT);
const frame = makeFrame();
let ofOneThread = 0;

/** Renders with a number of threads for as long as `going` says. @returns how many frames a second it made */
async function run(threads: number, going: (since: number) => boolean): Promise<number> {
  slider.value = String(threads);
  count.textContent = String(threads);
  const jobs = await start(threads);
  const speed = new Speed();
  const since = performance.now();
  try {
    do {
      const begun = performance.now();
      await render(jobs, frame, begun / 1000);
      speed.add(performance.now() - begun);
      // What is drawn must not be shared.
      image.data.set(frame.pixels);
      context.putImageData(image, 0, 0);
      drawTimeline(timeline, frame.spans, threads);
      show(speed.perSecond, threads);
      await nextPaint();
    } while (going(since));
  } finally {
    await jobs.shutdown();
  }
  return speed.perSecond;
}

function show(perSecond: number, threads: number): void {
  const now = `${perSecond.toFixed(1)} frames a second`;
  const against = `${(perSecond / ofOneThread).toFixed(2)} times as fast as one thread (${ofOneThread.toFixed(1)})`;
  rate.textContent = threads === 1 || ofOneThread === 0 ? now : `${now}: ${against}`;
}

try {
  // One thread first, to compare with: the code gets fast, and then is measured.
  await run(1, (since) => performance.now() - since < WARM_UP);
  ofOneThread = await run(1, (since) => performance.now() - since < MEASURED);
  let threads = most;
  slider.addEventListener("input", () => {
    threads = slider.valueAsNumber;
  });
  for (;;) {
    const running = threads;
    const speed = await run(running, () => threads === running);
    if (running === 1) ofOneThread = speed;
  }
} catch (error) {
  rate.textContent = String(error);
  throw error;
}
