/** A frame's memory, which all threads share, and how it is cut into tiles. */
import { shared } from "heddle";

export const WIDTH = 512;
export const HEIGHT = 288;
export const TILE = 32;
export const COLUMNS = WIDTH / TILE;
export const ROWS = HEIGHT / TILE;
export const TILES = COLUMNS * ROWS;

/** The kinds of jobs, as they are numbered in `spans`. */
export const TRACE = 0;
export const DENOISE = 1;
export const ENCODE = 2;
/** Jobs of a frame: two for each tile, and the last. */
export const JOBS = 2 * TILES + 1;
/** What `spans` says of each job: its thread, when it began and when it ended. */
export const SPAN = 3;

export function makeFrame() {
  return {
    /** What was traced, and what was denoised: red, green and blue of each pixel. */
    traced: shared(Float32Array, 3 * WIDTH * HEIGHT),
    smooth: shared(Float32Array, 3 * WIDTH * HEIGHT),
    /** What is drawn. */
    pixels: shared(Uint8ClampedArray, 4 * WIDTH * HEIGHT),
    spans: shared(Float64Array, SPAN * JOBS),
  };
}
