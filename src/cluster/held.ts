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
  /** Asks it to stop. */
  readonly abort: AbortController;
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

  add(held: Held): void {
    this.#byId.set(held.id, held);
    if (held.asynchronous) this.#asynchronous++;
    held.mark = this.#log?.add(attemptKey(held));
    this.onAdd(held);
  }

  /** Whether this attempt is in hand; a later one of the same job may be. */
  has(held: Held): boolean {
    return this.#byId.get(held.id) === held;
  }

  /** @returns whether it was still in hand */
  remove(held: Held): boolean {
    if (!this.has(held)) return false;
    this.#byId.delete(held.id);
    if (held.asynchronous) this.#asynchronous--;
    else if (held.ended) this.#ended--;
    if (held.mark !== undefined) this.#log?.remove(held.mark);
    this.onRemove(held);
    return true;
  }

  clear(): void {
    this.#byId.clear();
    this.#asynchronous = 0;
    this.#ended = 0;
  }

  [Symbol.iterator](): Iterator<Held> {
    return this.#byId.values();
  }
}
