import {
  C_BYTES,
  C_CAPACITY,
  C_FORMAT,
  C_MESSAGES,
  C_QUEUE,
  C_ROOM,
  C_TYPE,
  cellWords,
  KIND,
  KIND_CHANNEL,
} from "../memory/primitives.js";
import { Gate } from "../sync/gate.js";
import { MessageQueue, NONE_NOW, queueWords, SHUT } from "../sync/message-queue.js";
import { fixedWords } from "../sync/words.js";
import { viewTypeMadeBy } from "../values/views.js";
import { AsyncLine } from "./async-line.js";
import { beforeBlocking } from "./blocking.js";
import { type Format, NumberFormat, RecordFormat, ValueFormat } from "./channel-formats.js";
import { engineHere } from "./current.js";
import { ChannelClosedError, WouldBlockError } from "./errors.js";
import { checkWhole } from "./options.js";
import { Primitive } from "./primitive.js";

/** A channel of numbers. */
export interface NumberChannelOptions {
  /** How many messages there may be in the channel at once, 1 to 16,777,216. */
  readonly capacity: number;
  readonly record?: undefined;
  readonly maxBytes?: undefined;
}

/** A channel of records: typed arrays of one type and length. */
export interface RecordChannelOptions<T> {
  /** How many messages there may be in the channel at once, 1 to 16,777,216. */
  readonly capacity: number;
  /** The records' type, such as `Float32Array`. */
  readonly record: RecordType<T>;
  /** How many elements each record has, 1 or more. */
  readonly length: number;
  readonly maxBytes?: undefined;
}

/** A channel of any values that can be structured-cloned. */
export interface ValueChannelOptions {
  /** How many messages there may be in the channel at once, 1 to 16,777,216. */
  readonly capacity: number;
  /** How many bytes a value may take when it is serialised, 1 or more; each place in the channel takes so many. */
  readonly maxBytes: number;
  readonly record?: undefined;
}

/** A constructor of typed arrays. */
export interface RecordType<T> {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** How channels are made. */
export interface ChannelConstructor {
  /**
   * Makes a channel: of numbers, of records (`record`, `length`) or of any cloneable values (`maxBytes`).
   *
   * @throws TypeError, RangeError naming the option, what was wrong and what to do
   * @example
   * const counts = new Channel({ capacity: 1024 });
   * const points = new Channel({ capacity: 1024, record: Float32Array, length: 3 });
   * const events = new Channel<{ kind: string; at: number }>({ capacity: 64, maxBytes: 4096 });
   */
  new (options: NumberChannelOptions): Channel<number>;
  new <T>(options: RecordChannelOptions<T>): Channel<T>;
  new <T = unknown>(options: ValueChannelOptions): Channel<T>;
  /**
   * The channel whose `buffer` this is, on a thread that got it by other means than as a job's argument.
   *
   * @throws TypeError when it is another buffer
   */
  new <T = unknown>(buffer: SharedArrayBuffer): Channel<T>;
  readonly prototype: Channel<unknown>;
}

const NUMBERS = 0;
const RECORDS = 1;
const VALUES = 2;

const MOST_CAPACITY = 2 ** 24;
const MOST_BYTES = 2 ** 30;

class SharedChannel<T> extends Primitive {
  /** How many messages there may be in the channel at once. */
  readonly capacity: number;
  readonly #queue: MessageQueue;
  readonly #format: Format<T, unknown>;
  readonly #room: Gate;
  readonly #messages: Gate;
  readonly #senders: AsyncLine;
  readonly #receivers: AsyncLine;

  constructor(from: SharedArrayBuffer | NumberChannelOptions | RecordChannelOptions<T> | ValueChannelOptions) {
    super(from instanceof SharedArrayBuffer ? from : makeBuffer(from), KIND_CHANNEL);
    const i32 = new Int32Array(this.buffer);
    const words = fixedWords(i32);
    const bytes = i32[C_BYTES];
    this.capacity = i32[C_CAPACITY];
    this.#queue = new MessageQueue(words, C_QUEUE, this.capacity, cellWords(bytes));
    this.#format = formatOf(this.buffer, i32[C_FORMAT], i32[C_TYPE], bytes) as Format<T, unknown>;
    this.#room = new Gate(words, C_ROOM);
    this.#messages = new Gate(words, C_MESSAGES);
    this.#senders = new AsyncLine(this.#room);
    this.#receivers = new AsyncLine(this.#messages);
  }

  get [Symbol.toStringTag](): string {
    return "Channel";
  }

  /**
   * Sends a message, when there is room. The value is copied now; it may be changed afterwards.
   *
   * @returns a promise that resolves when the message is in the channel; keeps this thread alive until then.
   * It rejects with ChannelClosedError when the channel is, or gets, closed; with a TypeError or RangeError when
   * `value` is not what this channel carries, PayloadTooLargeError when it takes more than `maxBytes`, and a
   * DataCloneError (a DOMException) when it cannot be cloned
   * @example
   * await channel.send(42); // waiting for it is what holds a fast sender back
   */
  async send(value: T): Promise<void> {
    const encoded = this.#format.encode(value);
    if (this.#senders.free && this.#put(encoded)) return;
    const kept = this.#format.keep(encoded);
    await this.#senders.wait(() => this.#put(kept) || undefined);
  }

  /**
   * Sends a message if there is room now.
   *
   * @returns false if there is none, or if a `send` of this thread still waits for some
   * @throws as `send` rejects; ChannelClosedError also when the channel is full
   */
  trySend(value: T): boolean {
    return this.#trySend(this.#format.encode(value));
  }

  /**
   * Sends a message; blocks this thread until there is room. For jobs: see `receiveSync`.
   *
   * @throws as `send` rejects
   */
  sendSync(value: T): void {
    const encoded = this.#format.encode(value);
    if (!this.#trySend(encoded)) block(this.#room, () => this.#trySend(encoded) || undefined);
  }

  /**
   * Receives the oldest message, when there is one. Each message goes to one receiver; of those that wait on
   * one thread, to the first.
   *
   * @returns a promise of `{ value, done: false }`, or of `{ value: undefined, done: true }` when the channel is
   * closed and nothing is left in it; keeps this thread alive until then
   */
  async receive(): Promise<IteratorResult<T, undefined>> {
    return this.tryReceive() ?? this.#receivers.wait(() => this.#get());
  }

  /**
   * Receives the oldest message if there is one now.
   *
   * @returns as `receive`; undefined if there is none, or if a `receive` of this thread still waits for one
   */
  tryReceive(): IteratorResult<T, undefined> | undefined {
    return this.#receivers.free ? this.#get() : undefined;
  }

  /**
   * Receives the oldest message; blocks this thread until there is one. For jobs.
   *
   * The thread executes no other jobs meanwhile. So a system needs more worker threads than jobs that may be
   * blocked at once, unless those that they wait for are on the main thread.
   *
   * @returns as the promise of `receive`
   * @throws TypeError where a thread must not block (the main thread of a browser)
   */
  receiveSync(): IteratorResult<T, undefined> {
    return this.tryReceive() ?? block(this.#messages, () => this.tryReceive());
  }

  /**
   * Closes the channel: what is in it can still be received, nothing more can be sent. All who wait, on
   * whichever threads, find out. Closing it again does nothing.
   */
  close(): void {
    this.#queue.close();
    this.#room.notify();
    this.#messages.notify();
  }

  /** Whether the channel was closed; there may still be messages in it. */
  get closed(): boolean {
    return this.#queue.closed;
  }

  /**
   * Receives until the channel is closed and nothing is left in it. Leaving the loop does not close it.
   *
   * @example
   * for await (const value of channel) console.log(value);
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const { value, done } = await this.receive();
      if (done) return;
      yield value;
    }
  }

  /**
   * As the asynchronous iterator, but blocks this thread, as `receiveSync` does: for jobs.
   *
   * @example
   * export function sum(channel: Channel<number>): number {
   *   let total = 0;
   *   for (const value of channel) total += value;
   *   return total;
   * }
   */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (;;) {
      const { value, done } = this.receiveSync();
      if (done) return;
      yield value;
    }
  }

  #trySend(encoded: unknown): boolean {
    if (this.#senders.free) return this.#put(encoded);
    return false;
  }

  /** @returns whether there was room */
  #put(encoded: unknown): boolean {
    const cell = this.#queue.claim();
    if (cell === SHUT) throw new ChannelClosedError();
    if (cell === NONE_NOW) return false;
    this.#format.write(cell, encoded);
    this.#queue.publish(cell);
    this.#messages.notify();
    return true;
  }

  #get(): IteratorResult<T, undefined> | undefined {
    const cell = this.#queue.take();
    if (cell === NONE_NOW) return this.#queue.drained ? { value: undefined, done: true } : undefined;
    try {
      return { value: this.#format.read(cell), done: false };
    } finally {
      this.#queue.release(cell);
      this.#room.notify();
    }
  }
}

/**
 * A bounded channel: any number of threads send into it and receive from it. It is all in shared memory of its
 * own, goes by reference to jobs, as arguments and results, and to other threads by its `buffer`.
 *
 * The messages of one thread arrive in the order in which it sent them, and each goes to one receiver.
 *
 * @example
 * const channel = new Channel({ capacity: 1024 });
 * const sum = jobs.run(work.sum, channel); // for (const value of channel) …
 * for (let k = 0; k < 1e6; k++) await channel.send(k);
 * channel.close();
 * console.log(await sum);
 */
export type Channel<T> = SharedChannel<T>;
export const Channel: ChannelConstructor = SharedChannel;

/** Announces, looks again and sleeps until `attempt` gives something. */
function block<R>(gate: Gate, attempt: () => R | undefined): R {
  if (engineHere()?.context.alone) {
    throw new WouldBlockError(
      "a channel would block the only thread there is (threads: 0); use send() and receive(), or tryReceive()",
    );
  }
  beforeBlocking();
  for (;;) {
    const key = gate.announce();
    const result = attempt();
    if (result !== undefined) return result;
    gate.sleep(key);
  }
}

function makeBuffer(options: NumberChannelOptions | RecordChannelOptions<unknown> | ValueChannelOptions) {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("a Channel needs options: new Channel({ capacity: 1024 }) for numbers");
  }
  const { capacity, record, maxBytes } = options;
  checkWhole("capacity", capacity, 1, MOST_CAPACITY);
  if (record !== undefined && maxBytes !== undefined) {
    throw new TypeError("record and maxBytes cannot be given both: a channel carries either records or any values");
  }
  let format = NUMBERS;
  let type = -1;
  let bytes = 8;
  if (record !== undefined) {
    format = RECORDS;
    type = viewTypeMadeBy(record);
    if (type < 0 || (record as unknown) === DataView) {
      throw new TypeError("record must be a constructor of typed arrays, such as Float32Array");
    }
    checkWhole("length", options.length, 1, MOST_BYTES / record.BYTES_PER_ELEMENT);
    bytes = options.length * record.BYTES_PER_ELEMENT;
  } else if (maxBytes !== undefined) {
    format = VALUES;
    checkWhole("maxBytes", maxBytes, 1, MOST_BYTES);
    bytes = maxBytes;
  }
  const size = 4 * (C_QUEUE + queueWords(capacity, cellWords(bytes)));
  if (size > MOST_BYTES) {
    throw new RangeError(
      `capacity is ${capacity}, and as many messages of ${bytes} bytes take ${size} bytes; a channel may take ${MOST_BYTES}, so give a smaller capacity or smaller messages`,
    );
  }
  const buffer = new SharedArrayBuffer(size);
  const i32 = new Int32Array(buffer);
  i32[KIND] = KIND_CHANNEL;
  i32[C_CAPACITY] = capacity;
  i32[C_FORMAT] = format;
  i32[C_BYTES] = bytes;
  i32[C_TYPE] = type;
  return buffer;
}

function formatOf(buffer: SharedArrayBuffer, format: number, type: number, bytes: number): Format<unknown, unknown> {
  if (format === NUMBERS) return new NumberFormat(buffer);
  return format === RECORDS ? new RecordFormat(buffer, type, bytes) : new ValueFormat(buffer, bytes);
}
