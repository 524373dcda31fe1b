/** The parts of the page. */
import { HEIGHT, type makeFrame, WIDTH } from "./frame.js";
import { drawTimeline } from "./timeline.js";

const picture = element<HTMLCanvasElement>("picture");
const timeline = element<HTMLCanvasElement>("timeline");
const count = element<HTMLOutputElement>("count");
const rate = element<HTMLElement>("rate");
export const slider = element<HTMLInputElement>("threads");

/** How often texts change, in milliseconds: they are to be read. */
const READABLE = 250;

Object.assign(picture, { width: WIDTH, height: HEIGHT });
const context = picture.getContext("2d") as CanvasRenderingContext2D;
const image = context.createImageData(WIDTH, HEIGHT);
let told = 0;

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

export function draw({ pixels, spans }: ReturnType<typeof makeFrame>, threads: number): void {
  // A canvas takes no memory that is shared.
  image.data.set(pixels);
  context.putImageData(image, 0, 0);
  drawTimeline(timeline, spans, threads);
}

/** Shows for how many threads a speed is. */
export function showThreads(threads: number): void {
  slider.value = String(threads);
  count.textContent = String(threads);
  tell("Starting …");
}

/** Shows a speed, unless there was another a moment ago. */
export function showSpeed(text: string): void {
  const now = performance.now();
  if (now - told < READABLE) return;
  told = now;
  tell(text);
}

export function tell(text: string): void {
  rate.textContent = text;
}

/** Gives nothing as long as nobody sees the page. @returns whether that took time */
export async function whenVisible(): Promise<boolean> {
  if (!document.hidden) return false;
  await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  return true;
}
