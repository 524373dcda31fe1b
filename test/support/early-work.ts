/** A module whose first worker gets ready, and dies, while the second is still loading it; when the main thread says so. */
import { BroadcastChannel, isMainThread, workerData } from "node:worker_threads";

/** In the environment of those workers that are to do so. */
export const TOLD = "HEDDLE_TEST_WORKERS_ARE_TOLD";
/** On this channel the main thread says, again and again, which worker is to do what it is to do. */
export const ORDERS = "heddle: orders for workers";

const { me } = workerData ?? {};

function told(): Promise<void> {
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
  if (me === 1) {
    // With a timer pending, the worker's event loop goes round although there is no job.
    setInterval(() => {}, 1);
    void told().then(() => {
      throw new Error("early");
    });
  } else {
    await told();
  }
}

export function add(a: number, b: number): number {
  return a + b;
}
