/** Which thread ran which job of a frame, and when: a line for each thread. */
import { DENOISE, ENCODE, JOBS, SPAN, TILES, TRACE } from "./frame.js";

const LINE = 22;
const GAP = 4;
const LABEL = 26;
const WIDTH = 768;

const colors = new Map<number, string>();

/** The color of a kind of jobs, as the legend has it. */
function colorOf(kind: number): string {
  let color = colors.get(kind);
  if (color === undefined) {
    const legend = document.querySelector(`.${["trace", "denoise", "encode"][kind]}`) as Element;
    color = getComputedStyle(legend).getPropertyValue("--of");
    colors.set(kind, color);
  }
  return color;
}

function kindOf(job: number): number {
  if (job < TILES) return TRACE;
  return job < 2 * TILES ? DENOISE : ENCODE;
}

export function drawTimeline(canvas: HTMLCanvasElement, spans: Float64Array, threads: number): void {
  const height = threads * (LINE + GAP);
  if (canvas.width !== WIDTH || canvas.height !== height) Object.assign(canvas, { width: WIDTH, height });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = "#1d2026";
  context.fillRect(0, 0, WIDTH, height);
  let [first, last] = [Number.POSITIVE_INFINITY, 0];
  for (let job = 0; job < JOBS; job++) {
    first = Math.min(first, spans[SPAN * job + 1]);
    last = Math.max(last, spans[SPAN * job + 2]);
  }
  const scale = (WIDTH - LABEL) / (last - first);
  for (let job = 0; job < JOBS; job++) {
    const [thread, start, end] = spans.subarray(SPAN * job, SPAN * (job + 1));
    context.fillStyle = colorOf(kindOf(job));
    const width = Math.max(1, (end - start) * scale - 0.5);
    context.fillRect(LABEL + (start - first) * scale, (thread - 1) * (LINE + GAP), width, LINE);
  }
  context.fillStyle = "#9aa0aa";
  context.font = "13px system-ui, sans-serif";
  for (let thread = 1; thread <= threads; thread++)
    context.fillText(String(thread), 6, thread * (LINE + GAP) - GAP - 6);
}
