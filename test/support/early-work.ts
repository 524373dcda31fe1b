/** A module whose first worker gets ready, and dies, while the second is still loading it; when the main thread says so. */
import { BroadcastChannel, getEnvironmentData, isMainThread, parentPort } from "node:worker_threads";

/** In the environment of those workers that are to do so. */
export const TOLD = "HEDDLE_TEST_WORKERS_ARE_TOLD";
/** On this channel the main thread says, again and again, which worker is to do what it is to do. */
export const ORDERS = "heddle: orders for workers";

/** In the environment data of those workers: how many have begun to load this. */
export const COUNT = "heddle: how many workers";

/** Which of the workers this is, from 1. */
function numberHere(): number {
  return Atomics.add(getEnvironmentData(COUNT) as unknown as Int32Array, 0, 1) + 1;
}

function told(me: number): Promise<void> {
  const orders = new BroadcastChannel(ORDERS);
  return new Promise((resolve) => {
    orders.onmessage = ({ data }: { data: number }) => {
      if (data !== me) return;
      orders.close();
      resolve();
    };
  });
}

if (!isMainThread && process.env[TOLD] !== undefined) {
  const me = numberHere();
  if (me === 1) {
    // With a timer pending, the worker's event loop goes round although there is no job.
    setInterval(() => {}, 1);
    // Not in the promise: the runner of Bun's tests fails a test during which one is rejected, on whatever thread.
    void told(me).then(() =>
      setImmediate(() => {
        throw new Error("early");
      }),
    );
  } else {
    await told(me);
  }
  parentPort?.postMessage("loaded");
}

export function add(a: number, b: number): number {
  return a + b;
}
