/**
 * Threads, as their starter sees them: the thread that has started them. A browser tells nobody that a worker has ended, neither when
 * it was terminated nor when it has ended by itself. But it releases the locks that the worker held. So each thread holds a lock, and
 * its starter asks for the same one: when the starter gets it, the thread has ended.
 *
 * A thread says that its program is loaded. Its starter gives it the start data. The thread takes its lock and says so. Only then does
 * it use the data. So a thread that is terminated before that does nothing.
 */
import { programAt } from "../../program.js";

/** The messages between a thread and its starter. Messages of the user's go the same way. */
export type Notice =
  | { readonly heddle: "loaded" }
  | { readonly heddle: "start"; readonly data: unknown; readonly lock: string }
  | { readonly heddle: "locked" }
  | { readonly heddle: "ends"; readonly code: number };

/** @returns undefined for a message of the user's */
export function noticeIn(message: unknown): Notice | undefined {
  const { heddle } = (message ?? {}) as Partial<Notice>;
  return heddle === "loaded" || heddle === "start" || heddle === "locked" || heddle === "ends"
    ? (message as Notice)
    : undefined;
}

interface Options {
  readonly name: string;
  readonly worker: ((options: WorkerOptions) => unknown) | undefined;
}

/**
 * Starts a thread that runs jobs.
 *
 * @throws TypeError when `worker` gives something else than a thread; what the browser throws, or `worker`
 */
export function startThread(me: number, data: unknown, transfer: MessagePort[], { name, worker }: Options): Thread {
  const options: WorkerOptions = { name: `${name} ${me}`, type: "module" };
  const program = worker === undefined ? programAt("./thread.js", () => true) : undefined;
  const started = program === undefined ? checkWorker(worker?.(options)) : new Worker(program, options);
  return new Thread(started, data, transfer, program);
}

function checkWorker(worker: unknown): Worker {
  if (worker instanceof Worker) return worker;
  throw new TypeError(
    `worker must return a Worker, such as new Worker(new URL("./jobs.worker.js", import.meta.url), { ...options, type: "module" }), not ${worker === null ? "null" : typeof worker}`,
  );
}

/** What the starter hears of a thread. */
interface Events {
  message: (value: unknown) => void;
  error: (error: unknown) => void;
  exit: (code: number) => void;
}

/** What a thread is said to have ended with that has not told. */
const TERMINATED = 1;

export class Thread {
  readonly #worker: Worker;
  readonly #lock = `heddle ${crypto.randomUUID()}`;
  readonly #events: Partial<Events> = {};
  #loaded = false;
  #locked = false;
  #code = TERMINATED;

  /** @param program its address, if it is heddle's own */
  constructor(worker: Worker, data: unknown, transfer: MessagePort[], program: URL | undefined) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data: message }) => {
      const notice = noticeIn(message);
      if (notice === undefined) this.#events.message?.(message);
      else if (notice.heddle === "loaded" && !this.#loaded) {
        this.#loaded = true;
        const start: Notice = { heddle: "start", data, lock: this.#lock };
        worker.postMessage(start, transfer);
      } else if (notice.heddle === "locked") this.#whenUnlocked();
      else if (notice.heddle === "ends") {
        this.#code = notice.code;
        worker.terminate();
      }
    });
    worker.addEventListener("error", (event) => {
      // Later ones end nothing, and the browser shows them as those of the page.
      if (this.#loaded) return;
      this.#events.error?.(reasonOf(event, program));
      this.terminate();
    });
  }

  on<E extends keyof Events>(event: E, listener: Events[E]): void {
    this.#events[event] = listener;
  }

  /** A page needs no reason to stay. */
  ref(): void {}

  unref(): void {}

  terminate(): void {
    this.#worker.terminate();
    if (this.#locked) return;
    // Kept for good, so that a thread which has not had it yet does not get it.
    void this.#request(() => new Promise(() => {}));
  }

  #whenUnlocked(): void {
    this.#locked = true;
    void this.#request(() => Promise.resolve());
  }

  #request(then: () => Promise<void>): Promise<void> {
    return navigator.locks.request(this.#lock, () => {
      const exit = this.#events.exit;
      this.#events.exit = undefined;
      exit?.(this.#code);
      return then();
    });
  }
}

/** Why a thread's program does not run, as far as a browser tells. */
function reasonOf(event: ErrorEvent, program: URL | undefined): unknown {
  event.preventDefault();
  if (event.error !== undefined && event.error !== null) return event.error;
  if (event.message)
    return new Error(`a worker's program failed: ${event.message} (${event.filename}:${event.lineno})`);
  const what = program === undefined ? "its program could not be loaded" : `${program.href} could not be loaded`;
  const served = "its file must be served with the header Cross-Origin-Embedder-Policy: require-corp, as the page is";
  const bundled =
    "; with a bundler, give JobSystem.create the option worker, with a file of your own that calls serve() of heddle/worker";
  return new Error(`a worker did not start: ${what}; ${served}${program === undefined ? "" : bundled}`);
}

/** Calls `ended` with its exit code when a thread has ended. */
export function whenEnded(thread: Thread, ended: (code: number) => void): void {
  thread.on("exit", ended);
}

/** Prints what a worker has handed over: in a browser, workers print themselves. */
export function print(): void {}

/** Tells whether a thread still lives, also where the event loop of the one that asks stands still: nothing does in a browser. */
export class Pulse {
  readonly other = undefined;
  readonly works = false;
  readonly stopped = false;
  close(): void {}
}
