/** A module whose first worker dies when it has just got ready, and whose second gets ready only after that. */
import { BroadcastChannel, isMainThread, workerData } from "node:worker_threads";

/** In the environment of those workers that are to do so. */
export const DIES = "HEDDLE_TEST_FIRST_WORKER_DIES";
/** On this channel the main thread says, again and again, that the first has died. */
export const DEATHS = "heddle: the first worker has died";

if (!isMainThread && process.env[DIES] !== undefined) {
  if (workerData.me === 1) {
    setTimeout(() => {
      throw new Error("early");
    });
  } else {
    const deaths = new BroadcastChannel(DEATHS);
    await new Promise((resolve) => {
      deaths.onmessage = resolve;
    });
    deaths.close();
  }
}

export function add(a: number, b: number): number {
  return a + b;
}
