/**
 * Shared buffers and memories of the user, and other objects that only message ports carry, known to all threads by number.
 *
 * A job carries only the number. The object itself goes to every other thread once, as a message
 * that is sent before the job is published, so that a thread that meets an unknown number finds the
 * message waiting.
 *
 * A number is the address of a cell that counts its travels: the jobs' arguments and results that
 * carry it. Now and then the thread that gave numbers gives up those that do not travel: it closes
 * the cell, and every thread forgets the number, so that the memory behind it can be collected. If a
 * program sends the object again, it finds the cell closed and gives a new number.
 */

import { receivesAtOnce } from "../platform/host.js";
import type { Context } from "../scheduler/context.js";
import { delay } from "../sync/delay.js";
import { isShared, memoryUnder } from "./boxes.js";
import { NotHere } from "./not-here.js";

/** A SharedArrayBuffer, a WebAssembly.Memory or Module, a Blob, a key, …: whatever a port carries and nothing else does. */
export type SharedObject = object;

/** A port to another thread, and how to take what has arrived on it. */
export interface Link {
  send(message: unknown): void;
  receiveNow(): unknown;
}

/** Gives shared objects numbers, and objects for numbers. */
export interface ObjectNumbers {
  /** Whether it has ports to the other threads, which carry host objects too. */
  readonly ports: boolean;
  /** The number of `object`, which now travels once more. @returns 0 when shared memory is full */
  depart(object: SharedObject): number;
  /** The object that has arrived under `number`, whose travel is over. */
  arrive(number: number): SharedObject;
  /** The object that travels under `number`. */
  find(number: number): SharedObject;
  /** Ends one travel of `number`. */
  end(number: number): void;
}

/** Makes an object known under its number, or the number unknown. */
export type Introduction = { readonly number: number; readonly object: SharedObject | null };

const CLOSED = -(2 ** 30);
/** Numbers to give, and bytes behind them, before those that do not travel are given up. */
const MOST_GIVEN = 64;
const MOST_BYTES = 2 ** 27;
const ATTEMPTS = 2000;
/** How long to wait between two attempts, in milliseconds. */
const PAUSE = 1;

export class SharedObjects implements ObjectNumbers {
  readonly ports = true;
  readonly #context: Context;
  readonly #links: readonly (Link | undefined)[];
  readonly #numbers = new WeakMap<SharedObject, number>();
  readonly #objects = new Map<number, SharedObject>();
  /** For each number from another thread, which thread has given it. */
  readonly #givers = new Map<number, number>();
  /** Numbers that this thread gave and has not given up. */
  #given: number[] = [];
  #mostGiven = MOST_GIVEN;
  #bytes = 0;
  #lastObject: SharedObject | undefined;
  #lastNumber = 0;
  /** How often an object has departed from here. */
  departures = 0;

  /** @param links to the other threads, by their numbers */
  constructor(context: Context, links: readonly (Link | undefined)[]) {
    this.#context = context;
    this.#links = links;
  }

  depart(object: SharedObject): number {
    const { memory } = this.#context;
    this.departures++;
    const known = object === this.#lastObject ? this.#lastNumber : this.#numbers.get(object);
    if (known !== undefined) {
      this.#lastObject = object;
      this.#lastNumber = known;
      // Races with the giver, who closes the cell when nothing travels: one of us comes first.
      if (Atomics.add(memory.i32, known, 1) >= 0) return known;
      Atomics.sub(memory.i32, known, 1);
    }
    const number = this.#introduce(object);
    if (number !== 0) Atomics.add(memory.i32, number, 1);
    return number;
  }

  arrive(number: number): SharedObject {
    const object = this.find(number);
    this.end(number);
    return object;
  }

  /** Whether the object that travels under `number` is known here, or has arrived. */
  isHere(number: number): boolean {
    if (this.#objects.has(number)) return true;
    this.receive();
    return this.#objects.has(number);
  }

  find(number: number): SharedObject {
    this.#context.memory.reach(number);
    if (!receivesAtOnce && !this.isHere(number)) throw new NotHere();
    let object = this.#objects.get(number);
    // The message was sent before the number could be seen, but a platform may deliver it a little later.
    for (let attempt = 0; object === undefined; attempt++) {
      this.receive();
      object = this.#objects.get(number);
      if (object !== undefined) break;
      if (attempt === ATTEMPTS) throw new Error(`shared buffer ${number} did not arrive on this thread`);
      if (attempt > 2) delay(PAUSE);
    }
    return object;
  }

  end(number: number): void {
    this.#context.memory.reach(number);
    // Pairs with the giver's compare-exchange: at 0 it may close the cell.
    Atomics.sub(this.#context.memory.i32, number, 1);
  }

  /** Takes in what other threads have introduced and given up. */
  receive(): void {
    this.#links.forEach((link, thread) => {
      if (link === undefined) return;
      for (;;) {
        const message = link.receiveNow() as Introduction | undefined;
        if (message === undefined) break;
        if (message.object === null) {
          this.#forget(message.number);
        } else {
          this.learn(message);
          this.#givers.set(message.number, thread);
        }
      }
    });
  }

  /** Takes in one object that another thread knows. */
  learn({ number, object }: Introduction): void {
    if (object === null) return;
    this.#objects.set(number, object);
    this.#numbers.set(object, number);
  }

  /** All objects that are known here. */
  introductions(): Introduction[] {
    return Array.from(this.#objects, ([number, object]) => ({ number, object }));
  }

  /** Takes over the numbers of a thread that has died: from now on this one gives them up. */
  adopt(thread: number): void {
    for (const [number, giver] of this.#givers) {
      if (giver !== thread) continue;
      this.#givers.delete(number);
      this.#given.push(number);
    }
  }

  #introduce(object: SharedObject): number {
    const { edges, memory } = this.#context;
    this.receive();
    this.#bytes += bytesOf(object);
    if (this.#given.length >= this.#mostGiven || this.#bytes > MOST_BYTES) this.#giveUpIdle();
    // A cell of the edges' size; it is never reused, so that an old number cannot mean another object.
    const number = edges.take();
    if (number === 0) return 0;
    Atomics.store(memory.i32, number, 0);
    this.#numbers.set(object, number);
    this.#objects.set(number, object);
    this.#given.push(number);
    this.#lastObject = object;
    this.#lastNumber = number;
    this.#tellAll({ number, object });
    return number;
  }

  #giveUpIdle(): void {
    this.#given = this.#given.filter((number) => {
      // Settles the race with a thread that sends the object on: at 0 nothing travels, and from now on nothing can.
      if (Atomics.compareExchange(this.#context.memory.i32, number, 0, CLOSED) !== 0) return true;
      this.#forget(number);
      this.#tellAll({ number, object: null });
      return false;
    });
    this.#mostGiven = Math.max(MOST_GIVEN, 2 * this.#given.length);
    this.#bytes = 0;
    this.#wakeOthers();
  }

  /** Who sleeps is to take in what it was told: until then, the objects that were sent to it lie in its port. */
  #wakeOthers(): void {
    const { events, me, threads } = this.#context;
    for (let thread = 0; thread < threads; thread++) if (thread !== me) events.notify(thread, true);
  }

  #tellAll(message: Introduction): void {
    for (const link of this.#links) link?.send(message);
  }

  #forget(number: number): void {
    this.#objects.delete(number);
    this.#givers.delete(number);
    if (this.#lastNumber === number) {
      this.#lastObject = undefined;
      this.#lastNumber = 0;
    }
  }
}

/** How many bytes an object is known to hold. */
function bytesOf(object: SharedObject): number {
  if (isShared(object)) return object.byteLength;
  return memoryUnder(object)?.byteLength ?? 0;
}
