/** A module whose workers all die soon, with no job to blame, once the main thread's environment says so. */
import { isMainThread } from "node:worker_threads";

/** In the environment of those workers. */
export const DOOMED = "HEDDLE_TEST_WORKERS_ARE_DOOMED";

if (!isMainThread && process.env[DOOMED] !== undefined) {
  setTimeout(() => {
    throw new Error("doomed");
  }, 20);
}

export function nothing(): void {}
export function exit(code: number): never {
  process.exit(code);
}
