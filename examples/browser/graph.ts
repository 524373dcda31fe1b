/** The graph of a frame. */
import type { JobSystem } from "heddle";
import { COLUMNS, type makeFrame, ROWS, TILES } from "./frame.js";
import * as work from "./work.js";

/** Tiles that touch a tile, and itself. */
function around(tile: number): number[] {
  const [column, row] = [tile % COLUMNS, Math.floor(tile / COLUMNS)];
  const tiles: number[] = [];
  for (let y = Math.max(0, row - 1); y <= Math.min(ROWS - 1, row + 1); y++) {
    for (let x = Math.max(0, column - 1); x <= Math.min(COLUMNS - 1, column + 1); x++) tiles.push(y * COLUMNS + x);
  }
  return tiles;
}

/** Renders a frame: tiles, each denoised when those around it are traced, then all encoded. */
export async function render(jobs: JobSystem, frame: ReturnType<typeof makeFrame>, time: number): Promise<void> {
  const { traced, smooth, pixels, spans } = frame;
  const traces = Array.from({ length: TILES }, (_, tile) => jobs.spawn(work.trace, traced, spans, tile, time));
  const denoised = traces.map((_, tile) =>
    jobs
      .spawn(work.denoise, traced, smooth, spans, tile, TILES + tile)
      .after(...around(tile).map((other) => traces[other])),
  );
  await jobs.spawn(work.encode, smooth, pixels, spans, 2 * TILES).after(...denoised);
}
