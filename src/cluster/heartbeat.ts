/**
 * Says of a worker's jobs that they are worked at, from a thread of its own: user code may keep the main thread for longer
 * than a worker may be silent. Jobs run on other threads, so they go on meanwhile.
 */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { hasInputType } from "../platform/host.js";
import { programAt } from "../program.js";
import type { Attempt, Change, HeartbeatStart, News } from "./heartbeat-thread.js";
import type { Held, HeldJobs } from "./held.js";

/** How long to wait before a thread that has ended is replaced, in milliseconds. */
const START_AGAIN_AFTER = 1000;
/** How long its goodbye to the database may take, in milliseconds. */
const GOODBYE = 1000;

export class Heartbeat {
  readonly #start: HeartbeatStart;
  readonly #attempts = new Map<Held, Attempt>();
  readonly #held = new Map<number, Held>();
  readonly #report: (error: Error) => void;
  /** Called with jobs that are not this worker's any more. */
  readonly #onLost: (held: Held) => void;
  #thread: Worker;
  #number = 0;
  /** Not told to the thread yet. */
  #changes: Change[] = [];
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(start: HeartbeatStart, held: HeldJobs, report: (error: Error) => void, onLost: (held: Held) => void) {
    this.#start = start;
    this.#report = report;
    this.#onLost = onLost;
    this.#thread = this.#startThread();
    held.onAdd = (each) => this.#add(each);
    held.onRemove = (each) => this.#remove(each);
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    const thread = this.#thread;
    const ended = new Promise((resolve) => thread.once("exit", resolve));
    // It is not there any more, or has ended before it was asked.
    if (thread.threadId === -1) return;
    // While it is waited for, it keeps the process.
    thread.ref();
    thread.postMessage("end");
    const late = setTimeout(() => void thread.terminate(), GOODBYE);
    await ended;
    clearTimeout(late);
  }

  #startThread(): Worker {
    const program = programAt("./cluster/heartbeat-thread.js", existsSync);
    const options = { name: "heddle heartbeat", workerData: this.#start };
    const thread = hasInputType()
      ? new Worker(`import(${JSON.stringify(program.href)})`, { ...options, eval: true })
      : new Worker(program, options);
    thread.unref();
    thread.on("message", (news: News) => this.#heard(news));
    thread.on("error", this.#report);
    thread.once("exit", () => {
      if (this.#closed) return;
      this.#again = setTimeout(() => {
        this.#thread = this.#startThread();
        this.#thread.postMessage([...this.#attempts.values()].map((added): Change => ({ added })));
      }, START_AGAIN_AFTER).unref();
    });
    return thread;
  }

  #add(held: Held): void {
    const { id, retryCount, queue } = held;
    const added: Attempt = { number: this.#number++, id, retryCount, queue };
    this.#attempts.set(held, added);
    this.#held.set(added.number, held);
    this.#tell({ added });
  }

  #remove(held: Held): void {
    const { number } = this.#attempts.get(held)!;
    this.#attempts.delete(held);
    this.#held.delete(number);
    this.#tell({ removed: number });
  }

  /** What changes in the same turn of the event loop is told at once, and before user code can keep this thread. */
  #tell(change: Change): void {
    if (this.#changes.push(change) === 1) queueMicrotask(() => this.#thread.postMessage(this.#changes.splice(0)));
  }

  #heard(news: News): void {
    if (this.#closed) return;
    if ("error" in news) {
      this.#report(Object.assign(news.error, { code: news.code }));
      return;
    }
    for (const number of news.lost) {
      const held = this.#held.get(number);
      if (held !== undefined) this.#onLost(held);
    }
  }
}
