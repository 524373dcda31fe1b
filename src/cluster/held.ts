/** The jobs that a worker has fetched and that have no outcome written yet. */
import { attemptKey, type BeginLog, type Mark } from "./begin-log.js";
import type { JobData } from "./queues.js";

/** A job that this worker has fetched: `id` and `retryCount` name the attempt. */
export interface Held {
  readonly id: string;
  readonly retryCount: number;
  readonly queue: string;
  readonly data: JobData;
  readonly place: { readonly run: string; readonly job: number };
  /** Whether its function is known to give promises: then it needs no thread for long. */
  readonly asynchronous: boolean;
  /** Asks it alone to stop, once it runs. */
  abort: (reason: unknown) => void;
  /** It has run, and what came of it is being written. */
  ended: boolean;
  /** Since when it waits for its turn; Infinity while its inputs are read. */
  since: number;
  /** It was noted that this attempt has begun. */
  noted: boolean;
  /** Where it is written when it begins. */
  mark: Mark | undefined;
  /** Keeps it from running, if it has not begun. @returns whether it had not */
  withdraw: () => boolean;
}

export class HeldJobs implements Iterable<Held> {
  readonly #log: BeginLog | undefined;
  readonly #byId = new Map<string, Held>();
  /** By run: what asks its jobs to stop, and how many of them there are. */
  readonly #runs = new Map<string, { readonly abort: AbortController; jobs: number }>();
  #asynchronous = 0;
  #ended = 0;
  /** Told of what is added, and removed one by one. */
  onAdd: (held: Held) => void = () => {};
  onRemove: (held: Held) => void = () => {};

  /** @param log where to write what has begun */
  constructor(log?: BeginLog) {
    this.#log = log;
  }

  get count(): number {
    return this.#byId.size;
  }

  /** How many of them are asynchronous. */
  get asynchronous(): number {
    return this.#asynchronous;
  }

  /** How many of the others have ended. */
  get ended(): number {
    return this.#ended;
  }

  /** A job has ended. */
  end(held: Held): void {
    if (held.ended || !this.has(held)) return;
    held.ended = true;
    if (!held.asynchronous) this.#ended++;
  }

  /** Asks the jobs of a run to stop, and those of it that are added while any is in hand. */
  abortRun(run: string, reason: unknown): void {
    this.#runs.get(run)?.abort.abort(reason);
  }

  /** Asks all jobs to stop. */
  abortAll(reason: unknown): void {
    for (const { abort } of this.#runs.values()) abort.abort(reason);
  }

  /** The signal of a job in hand: that of its run. */
  signalOf({ place }: Held): AbortSignal {
    return this.#runs.get(place.run)!.abort.signal;
  }

  add(held: Held): void {
    this.#byId.set(held.id, held);
    const run = this.#runs.get(held.place.run);
    if (run === undefined) this.#runs.set(held.place.run, { abort: new AbortController(), jobs: 1 });
    else run.jobs++;
    if (held.asynchronous) this.#asynchronous++;
    held.mark = this.#log?.add(attemptKey(held));
    this.onAdd(held);
  }

  /** The attempt of a job that is in hand. */
  get(id: string): Held | undefined {
    return this.#byId.get(id);
  }

  /** Whether this attempt is in hand; a later one of the same job may be. */
  has(held: Held): boolean {
    return this.#byId.get(held.id) === held;
  }

  /** @returns whether it was still in hand */
  remove(held: Held): boolean {
    if (!this.has(held)) return false;
    this.#byId.delete(held.id);
    const run = this.#runs.get(held.place.run)!;
    if (--run.jobs === 0) this.#runs.delete(held.place.run);
    if (held.asynchronous) this.#asynchronous--;
    else if (held.ended) this.#ended--;
    if (held.mark !== undefined) this.#log?.remove(held.mark);
    this.onRemove(held);
    return true;
  }

  clear(): void {
    this.#byId.clear();
    this.#runs.clear();
    this.#asynchronous = 0;
    this.#ended = 0;
  }

  [Symbol.iterator](): Iterator<Held> {
    return this.#byId.values();
  }
}
