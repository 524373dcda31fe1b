/**
 * Reads large inputs, of the job that begins next only: into shared memory, part by part, so that neither this process
 * nor the connection ever has to bear more than a part of them besides.
 */
import { PayloadTooLargeError } from "../api/errors.js";
import { Backoff } from "./backoff.js";
import type { Held } from "./held.js";
import { nameOf } from "./queues.js";
import type { Store } from "./store.js";

/** The most bytes of inputs that one job can be given. */
export const MOST_INPUT_BYTES = 2 ** 30;
/** The most that the inputs of all jobs under way take, unless there is only one such job. */
const MOST_IN_HAND = 2 ** 28;
/** The most bytes of inputs that are read by one statement, and a bit more; and the most inputs. */
const PART = 2 ** 23;
const MOST_IN_PART = 4096;

export interface Reading {
  /** Whether the job is still in hand. */
  wanted(held: Held): boolean;
  /** Its inputs are there: it begins. Settles when it has ended. */
  begin(held: Held, inputs: readonly Uint8Array[]): Promise<void>;
  /** An input is not there any more, as the run was deleted. */
  gone(held: Held): Promise<void>;
  /** It can't be given all that. */
  tooLarge(held: Held, error: PayloadTooLargeError): void;
  report(error: Error): void;
}

export class Inputs {
  readonly #store: Store;
  readonly #threads: number;
  readonly #reading: Reading;
  readonly #queue = new Set<Held>();
  /** Buffers that no job uses any more, by size, for the next ones: a system keeps a note of each that is new to it. */
  readonly #free = new Map<number, SharedArrayBuffer[]>();
  #freeBytes = 0;
  /** Bytes of inputs of jobs under way, and how many of these jobs need a thread for themselves. */
  #inHand = 0;
  #onThreads = 0;
  #working = false;
  /** Called when a job has ended. */
  #onFreed: () => void = () => {};

  /** @param threads of the worker: with more jobs than that, one could not begin */
  constructor(store: Store, threads: number, reading: Reading) {
    this.#store = store;
    this.#threads = threads;
    this.#reading = reading;
  }

  /** How many jobs wait for their inputs. */
  get waiting(): number {
    return this.#queue.size;
  }

  add(held: Held): void {
    this.#queue.add(held);
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    const backoff = new Backoff();
    for (const held of this.#queue) {
      while (this.#reading.wanted(held)) {
        try {
          await this.#read(held);
          break;
        } catch (error) {
          this.#reading.report(error as Error);
          await new Promise((resolve) => setTimeout(resolve, backoff.next()));
        }
      }
      backoff.reset();
      this.#queue.delete(held);
    }
    this.#working = false;
  }

  async #read(held: Held): Promise<void> {
    const { run } = held.place;
    const jobs = (held.data.uses ?? []).map(([, job]) => job);
    const sizes = await this.#sizesOf(run, jobs);
    if (jobs.some((job) => !sizes.has(job))) return await this.#reading.gone(held);
    const total = jobs.reduce((sum, job) => sum + sizes.get(job)!, 0);
    if (total > MOST_INPUT_BYTES) return this.#reading.tooLarge(held, tooLarge(held, jobs.length, total));
    while (!this.#mayBegin(held, total)) {
      if (!this.#reading.wanted(held)) return;
      await new Promise<void>((resolve) => {
        this.#onFreed = resolve;
        // It may be given back meanwhile.
        setTimeout(resolve, 100).unref();
      });
    }
    if (!this.#reading.wanted(held)) return;
    held.since = Number.POSITIVE_INFINITY;
    const buffer = this.#take(total);
    const inputs = await this.#fill(buffer, held, jobs, sizes);
    if (inputs === undefined) return this.#give(buffer);
    const onThread = held.asynchronous ? 0 : 1;
    this.#inHand += total;
    this.#onThreads += onThread;
    void this.#reading.begin(held, inputs).finally(() => {
      this.#inHand -= total;
      this.#onThreads -= onThread;
      this.#give(buffer);
      this.#onFreed();
    });
  }

  #mayBegin({ asynchronous }: Held, bytes: number): boolean {
    if (!asynchronous && this.#onThreads >= this.#threads) return false;
    return this.#inHand === 0 || this.#inHand + bytes <= MOST_IN_HAND;
  }

  async #sizesOf(run: string, jobs: readonly number[]): Promise<Map<number, number>> {
    const sizes = new Map<number, number>();
    for (let k = 0; k < jobs.length; k += MOST_IN_PART) {
      const places = jobs.slice(k, k + MOST_IN_PART).map((job) => ({ run, job }));
      for (const { job, bytes } of await this.#store.smallOutcomes(places, -1)) sizes.set(job, bytes);
    }
    return sizes;
  }

  /** @returns a view on each input; undefined if the job is no longer wanted */
  async #fill(
    buffer: SharedArrayBuffer,
    held: Held,
    jobs: readonly number[],
    sizes: ReadonlyMap<number, number>,
  ): Promise<Uint8Array[] | undefined> {
    const bytes = Buffer.from(buffer);
    const inputs: Uint8Array[] = [];
    let start = 0;
    for (let k = 0; k < jobs.length; ) {
      const part: number[] = [];
      for (let size = 0; k < jobs.length && size < PART && part.length < MOST_IN_PART; k++) {
        part.push(jobs[k]);
        size += sizes.get(jobs[k])!;
      }
      const outcomes = await this.#store.outcomes([...new Set(part)].map((job) => ({ run: held.place.run, job })));
      if (!this.#reading.wanted(held)) return undefined;
      const texts = new Map(outcomes.map(({ job, value }) => [job, value]));
      for (const job of part) {
        const length = bytes.write(texts.get(job) ?? "", start, "base64");
        inputs.push(new Uint8Array(buffer, start, length));
        start += length;
      }
    }
    return inputs;
  }

  #take(bytes: number): SharedArrayBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, 1)));
    const free = this.#free.get(size)?.pop();
    if (free === undefined) return new SharedArrayBuffer(size);
    this.#freeBytes -= size;
    return free;
  }

  #give(buffer: SharedArrayBuffer): void {
    const size = buffer.byteLength;
    if (this.#freeBytes + size > MOST_IN_HAND) return;
    this.#freeBytes += size;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
  }
}

function tooLarge({ data }: Held, count: number, bytes: number): PayloadTooLargeError {
  return new PayloadTooLargeError(
    `the ${count} results that job "${nameOf(data)}" is given take ${bytes} bytes together, and ${MOST_INPUT_BYTES} are the most; have jobs in between combine some of them, or keep large data in files or object storage and pass where it is`,
    bytes,
    MOST_INPUT_BYTES,
  );
}
