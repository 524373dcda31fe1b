/** Some spheres over a floor, under a lamp: what a ray meets, and how bright that is. */

interface Sphere {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly radius: number;
  readonly color: readonly [number, number, number];
  /** How much of what it shows is a reflection, 0 to 1. */
  readonly mirror: number;
}

/** How often a ray is reflected. */
const BOUNCES = 4;
/** Rays to the lamp, which is a ball, for soft shadows. */
const LAMP_RAYS = 2;
const LAMP_RADIUS = 1.2;
const FAR = 1e9;
const NEAR = 1e-4;

/** The scene at a time, in seconds. */
export class Scene {
  readonly #spheres: readonly Sphere[];
  readonly #lamp: readonly [number, number, number];
  /** What `#nearest` has found: to make an object of it for each ray would take much longer. */
  #found: Sphere | undefined;

  constructor(time: number) {
    this.#spheres = [
      { x: 0, y: 1, z: 0, radius: 1, color: [0.9, 0.9, 0.95], mirror: 0.8 },
      ...Array.from({ length: 9 }, (_, k) => {
        const angle = (k / 9) * 2 * Math.PI + time * 0.5;
        const y = 0.5 + 0.4 * Math.abs(Math.sin(time * 2 + k * 1.3));
        const color = [0.5 + 0.4 * Math.cos(k), 0.5 + 0.4 * Math.cos(k + 2), 0.5 + 0.4 * Math.cos(k + 4)] as const;
        return {
          x: 2.4 * Math.cos(angle),
          y,
          z: 2.4 * Math.sin(angle),
          radius: 0.5,
          color,
          mirror: k % 3 === 0 ? 0.4 : 0.1,
        };
      }),
    ];
    this.#lamp = [4 * Math.cos(time * 0.3), 6, 4 * Math.sin(time * 0.3)];
  }

  /**
   * The light that comes from a direction.
   *
   * @param random gives numbers from 0 to 1
   * @param into where red, green and blue go
   */
  look(
    ox: number,
    oy: number,
    oz: number,
    dx: number,
    dy: number,
    dz: number,
    random: () => number,
    into: number[],
  ): void {
    let [red, green, blue, share] = [0, 0, 0, 1];
    for (let bounce = 0; bounce < BOUNCES && share > 0.02; bounce++) {
      const hit = this.#nearest(ox, oy, oz, dx, dy, dz);
      const sphere = this.#found;
      const floor = dy < -NEAR ? -oy / dy : FAR;
      if (hit === FAR && floor === FAR) {
        const sky = 0.5 + 0.5 * dy;
        red += share * (0.25 + 0.2 * sky);
        green += share * (0.35 + 0.3 * sky);
        blue += share * (0.5 + 0.45 * sky);
        break;
      }
      const at = Math.min(floor, hit);
      ox += dx * at;
      oy += dy * at;
      oz += dz * at;
      let [nx, ny, nz] = [0, 1, 0];
      let color: readonly [number, number, number] =
        (Math.floor(ox) + Math.floor(oz)) & 1 ? [0.8, 0.8, 0.8] : [0.25, 0.28, 0.32];
      let mirror = 0.15;
      if (hit < floor && sphere !== undefined) {
        nx = (ox - sphere.x) / sphere.radius;
        ny = (oy - sphere.y) / sphere.radius;
        nz = (oz - sphere.z) / sphere.radius;
        ({ color, mirror } = sphere);
      }
      ox += nx * NEAR;
      oy += ny * NEAR;
      oz += nz * NEAR;
      const bright = share * (1 - mirror) * (0.15 + this.#lit(ox, oy, oz, nx, ny, nz, random));
      red += color[0] * bright;
      green += color[1] * bright;
      blue += color[2] * bright;
      share *= mirror;
      const along = 2 * (dx * nx + dy * ny + dz * nz);
      dx -= along * nx;
      dy -= along * ny;
      dz -= along * nz;
    }
    into[0] = red;
    into[1] = green;
    into[2] = blue;
  }

  /** How much of the lamp a point sees, in random directions: so the picture is noisy. */
  #lit(ox: number, oy: number, oz: number, nx: number, ny: number, nz: number, random: () => number): number {
    let light = 0;
    for (let ray = 0; ray < LAMP_RAYS; ray++) {
      let dx = this.#lamp[0] + LAMP_RADIUS * (2 * random() - 1) - ox;
      let dy = this.#lamp[1] + LAMP_RADIUS * (2 * random() - 1) - oy;
      let dz = this.#lamp[2] + LAMP_RADIUS * (2 * random() - 1) - oz;
      const length = Math.sqrt(dx * dx + dy * dy + dz * dz);
      dx /= length;
      dy /= length;
      dz /= length;
      const facing = nx * dx + ny * dy + nz * dz;
      if (facing > 0 && this.#nearest(ox, oy, oz, dx, dy, dz) > length) light += facing;
    }
    return light / LAMP_RAYS;
  }

  /** How far away the nearest sphere is that a ray meets, or FAR. */
  #nearest(ox: number, oy: number, oz: number, dx: number, dy: number, dz: number): number {
    let at = FAR;
    for (const sphere of this.#spheres) {
      const x = ox - sphere.x;
      const y = oy - sphere.y;
      const z = oz - sphere.z;
      const b = x * dx + y * dy + z * dz;
      const d = b * b - (x * x + y * y + z * z - sphere.radius * sphere.radius);
      if (d < 0) continue;
      const distance = -b - Math.sqrt(d);
      if (distance > NEAR && distance < at) {
        at = distance;
        this.#found = sphere;
      }
    }
    return at;
  }
}
