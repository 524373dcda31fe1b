/** The jobs of a frame: trace a tile, denoise it, encode the whole. */
import { COLUMNS, HEIGHT, SPAN, TILE, WIDTH } from "./frame.js";
import { Scene } from "./scene.js";

/** Which thread this is: its name ends with its number. */
const thread = Number(/\d+$/.exec(self.name)?.[0] ?? 0);
/** A clock that all threads share. */
const clock = () => performance.timeOrigin + performance.now();

/** Writes down which thread has done job number `job`, and when. */
function note(spans: Float64Array, job: number, start: number): void {
  spans.set([thread, start, clock()], SPAN * job);
}

/** The scene of the frame that is being traced. */
let scene: { readonly time: number; readonly at: Scene } | undefined;

function sceneAt(time: number): Scene {
  if (scene?.time !== time) scene = { time, at: new Scene(time) };
  return scene.at;
}

/** Numbers that look random, the same ones for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function trace(traced: Float32Array, spans: Float64Array, tile: number, time: number): void {
  const start = clock();
  const scene = sceneAt(time);
  const random = randomFrom(tile * 7919 + Math.floor(time * 1000));
  const [left, top] = [TILE * (tile % COLUMNS), TILE * Math.floor(tile / COLUMNS)];
  const color = [0, 0, 0];
  const [ex, ey, ez] = [6.5 * Math.sin(time * 0.2), 2.6, 6.5 * Math.cos(time * 0.2)];
  // The camera looks at the middle of the scene.
  const distance = Math.hypot(ex, ey - 0.8, ez);
  const [fx, fy, fz] = [-ex / distance, (0.8 - ey) / distance, -ez / distance];
  const side = Math.hypot(fx, fz);
  const [rx, rz] = [-fz / side, fx / side];
  const [ux, uy, uz] = [-rz * fy, rz * fx - rx * fz, rx * fy];
  for (let y = top; y < top + TILE; y++) {
    for (let x = left; x < left + TILE; x++) {
      const across = (2 * (x + random()) - WIDTH) / HEIGHT;
      const up = (HEIGHT - 2 * (y + random())) / HEIGHT;
      const dx = 1.8 * fx + across * rx + up * ux;
      const dy = 1.8 * fy + up * uy;
      const dz = 1.8 * fz + across * rz + up * uz;
      const length = Math.sqrt(dx * dx + dy * dy + dz * dz);
      scene.look(ex, ey, ez, dx / length, dy / length, dz / length, random, color);
      traced.set(color, 3 * (y * WIDTH + x));
    }
  }
  note(spans, tile, start);
}

/** How far away pixels count. */
const REACH = 2;
/** How different pixels may be that are mixed. */
const LIKENESS = 0.15;

/** Mixes each pixel of a tile with those around it that are like it. The tiles around it must be traced. */
export function denoise(
  traced: Float32Array,
  smooth: Float32Array,
  spans: Float64Array,
  tile: number,
  job: number,
): void {
  const start = clock();
  const [left, top] = [TILE * (tile % COLUMNS), TILE * Math.floor(tile / COLUMNS)];
  for (let y = top; y < top + TILE; y++) {
    for (let x = left; x < left + TILE; x++) {
      const at = 3 * (y * WIDTH + x);
      let [red, green, blue, weights] = [0, 0, 0, 0];
      for (let v = Math.max(0, y - REACH); v <= Math.min(HEIGHT - 1, y + REACH); v++) {
        for (let u = Math.max(0, x - REACH); u <= Math.min(WIDTH - 1, x + REACH); u++) {
          const other = 3 * (v * WIDTH + u);
          const difference =
            Math.abs(traced[other] - traced[at]) +
            Math.abs(traced[other + 1] - traced[at + 1]) +
            Math.abs(traced[other + 2] - traced[at + 2]);
          const weight = LIKENESS / (LIKENESS + difference * difference);
          red += weight * traced[other];
          green += weight * traced[other + 1];
          blue += weight * traced[other + 2];
          weights += weight;
        }
      }
      smooth[at] = red / weights;
      smooth[at + 1] = green / weights;
      smooth[at + 2] = blue / weights;
    }
  }
  note(spans, job, start);
}

/** Makes bytes of brightness, as screens want it. */
export function encode(smooth: Float32Array, pixels: Uint8ClampedArray, spans: Float64Array, job: number): void {
  const start = clock();
  for (let pixel = 0; pixel < WIDTH * HEIGHT; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      pixels[4 * pixel + channel] = 255 * Math.sqrt(smooth[3 * pixel + channel]);
    }
    pixels[4 * pixel + 3] = 255;
  }
  note(spans, job, start);
}
