/** The worker threads of a system, as the creating thread sees them. */
import { MessageChannel, type MessagePort, print, receiveNow, startThread, type Worker } from "../platform/node.js";
import type { Link } from "../values/shared-objects.js";
import type { WorkerMessage, WorkerStart } from "./messages.js";
import { deferred } from "./outcomes.js";

export class WorkerPool {
  readonly count: number;
  /** To each worker, for shared objects. */
  readonly links: readonly Link[];
  /** Settles when all workers have ended. */
  stopped: Promise<unknown> = Promise.resolve();
  onUnobserved: (failure: Uint8Array) => void = () => {};
  /** Called when a worker ends although it was not told to. */
  onCrash: (reason: Error) => void = () => {};
  readonly #ports: (MessagePort | undefined)[][];
  readonly #workers: Worker[] = [];
  #terminated = false;
  #alive = true;
  #ready = false;
  /** How often the event loop has still to go round before the process may end. */
  #turns = 0;

  constructor(count: number) {
    this.count = count;
    this.#ports = mesh(count + 1);
    this.links = linksOver(this.#ports[0]);
  }

  /** Starts the workers. @throws what the first of them that fails throws; then none is left */
  async start(common: Omit<WorkerStart, "me" | "ports">): Promise<void> {
    const ready: Promise<void>[] = [];
    const ended: Promise<void>[] = [];
    for (let me = 1; me <= this.count; me++) {
      const ports = this.#ports[me];
      const transfer = ports.filter((port) => port !== undefined);
      const worker = startThread(`heddle ${me}`, { ...common, me, ports } satisfies WorkerStart, transfer);
      this.#workers.push(worker);
      ready.push(this.#whenReady(worker));
      ended.push(new Promise((resolve) => worker.once("exit", () => resolve())));
    }
    this.stopped = Promise.all(ended).then(() => this.#close());
    try {
      await Promise.all(ready);
    } catch (error) {
      await Promise.allSettled(this.#workers.map((worker) => worker.terminate()));
      throw error;
    }
    this.#ready = true;
    this.keepAlive(false);
  }

  /** Ends all workers at once, whatever they are doing. */
  terminate(): void {
    this.#terminated = true;
    for (const worker of this.#workers) void worker.terminate();
  }

  /** Keeps the process alive, or lets it end once what the jobs have printed that were waited for is there. */
  keepAlive(on: boolean): void {
    if (!on) this.#turnTwice();
    if (on === this.#alive) return;
    this.#alive = on;
    for (const worker of this.#workers) {
      if (on) worker.ref();
      else worker.unref();
    }
  }

  /**
   * Goes round the event loop twice before the process may end. What workers print comes as messages, sent before their jobs
   * finish, and those do not keep the process alive; it may be past this turn's messages already, but not past the next.
   */
  #turnTwice(): void {
    const turning = this.#turns > 0;
    this.#turns = 2;
    if (!turning) setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    if (--this.#turns > 0) setImmediate(this.#turn);
  };

  #whenReady(worker: Worker): Promise<void> {
    const { promise, resolve, reject } = deferred<void>();
    let stopped = false;
    worker.on("message", (message: WorkerMessage) => {
      if (message.type === "ready") resolve();
      else if (message.type === "refused") reject(message.error);
      else if (message.type === "stopped") stopped = true;
      else if (message.type === "printed") print(message.printed);
      else this.onUnobserved(message.failure);
    });
    let cause: unknown;
    worker.on("error", (error) => {
      cause = error;
      reject(error);
    });
    worker.on("exit", (code) => {
      reject(new Error(`a worker ended with code ${code} before it was ready`));
      if (this.#ready && !stopped && !this.#terminated) {
        const why = cause instanceof Error ? `: ${cause.message}` : "";
        this.onCrash(new Error(`a worker thread ended unexpectedly with code ${code}${why}`, { cause }));
      }
    });
    return promise;
  }

  #close(): void {
    for (const port of this.#ports[0]) port?.close();
  }
}

/** A port from each thread to each other. */
function mesh(threads: number): (MessagePort | undefined)[][] {
  const ports: (MessagePort | undefined)[][] = Array.from({ length: threads }, () =>
    new Array(threads).fill(undefined),
  );
  for (let a = 0; a < threads; a++) {
    for (let b = a + 1; b < threads; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a][b] = port1;
      ports[b][a] = port2;
    }
  }
  return ports;
}

/** How a thread reaches the others over its ports. */
export function linksOver(ports: readonly (MessagePort | undefined)[]): Link[] {
  return ports
    .filter((port) => port !== undefined)
    .map((port) => ({
      send: (message) => port.postMessage(message),
      receiveNow: () => receiveNow(port),
    }));
}
