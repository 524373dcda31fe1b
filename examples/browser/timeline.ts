/** Which thread ran which job of a frame, and when: a line for each thread. */
import { DENOISE, ENCODE, JOBS, SPAN, TILES, TRACE } from "./frame.js";

const LINE = 22;
const GAP = 4;
/** Where lines begin, after the threads' numbers. */
const LEFT = 26;

const KINDS = { [TRACE]: "trace", [DENOISE]: "denoise", [ENCODE]: "encode" };
const colors = Object.values(KINDS).map((name) => {
  const legend = document.querySelector(`.${name}`) as Element;
  return getComputedStyle(legend).getPropertyValue("--of");
});

function kindOf(job: number): number {
  if (job < TILES) return TRACE;
  return job < 2 * TILES ? DENOISE : ENCODE;
}

/** Makes a canvas as wide as the page has it, in the screen's own points. @returns that width */
function fit(canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, height: number): number {
  const width = canvas.clientWidth;
  const points = devicePixelRatio;
  const size = { width: Math.round(width * points), height: Math.round(height * points) };
  if (canvas.width !== size.width || canvas.height !== size.height) {
    Object.assign(canvas, size);
    canvas.style.height = `${height}px`;
  }
  context.setTransform(points, 0, 0, points, 0, 0);
  return width;
}

/** @param spans of each job: its thread, when it began and when it ended */
export function drawTimeline(canvas: HTMLCanvasElement, spans: Float64Array, threads: number): void {
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  const height = threads * (LINE + GAP);
  const width = fit(canvas, context, height);
  context.fillStyle = "#1d2026";
  context.fillRect(0, 0, width, height);
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (let job = 0; job < JOBS; job++) {
    first = Math.min(first, spans[SPAN * job + 1]);
    last = Math.max(last, spans[SPAN * job + 2]);
  }
  const scale = (width - LEFT) / (last - first);
  for (let job = 0; job < JOBS; job++) {
    const [thread, start, end] = spans.subarray(SPAN * job, SPAN * (job + 1));
    context.fillStyle = colors[kindOf(job)];
    // A little less, so that jobs can be told apart.
    const length = Math.max(0.5, (end - start) * scale - 0.5);
    context.fillRect(LEFT + (start - first) * scale, (thread - 1) * (LINE + GAP), length, LINE);
  }
  context.fillStyle = "#9aa0aa";
  context.font = "13px system-ui, sans-serif";
  for (let thread = 1; thread <= threads; thread++) {
    context.fillText(String(thread), 6, thread * (LINE + GAP) - GAP - 6);
  }
}
