/**
 * The promises of one thread that wait at one gate, in the order in which they were asked for. Only the
 * line as a whole sleeps, so that many cost other threads no more than one.
 */
import { hold } from "../platform/host.js";
import type { Gate } from "../sync/gate.js";
import { type Deferred, deferred } from "./outcomes.js";

interface Waiting {
  /** Tries once. @returns undefined if it has to wait on */
  attempt(): unknown;
  readonly deferred: Deferred<unknown>;
}

export class AsyncLine {
  readonly #gate: Gate;
  readonly #waiting = new Set<Waiting>();
  #sleeping = false;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Whether nobody waits, after all who could go on have done so: nobody may overtake them. */
  get free(): boolean {
    if (this.#waiting.size > 0) this.#advance();
    return this.#waiting.size === 0;
  }

  /**
   * Waits for an attempt to succeed.
   *
   * @param attempt gives the result, or undefined if it has to wait on; what it throws rejects the promise
   */
  wait<R>(attempt: () => R | undefined): Promise<R> {
    const waiting = { attempt, deferred: deferred<R>() };
    this.#waiting.add(waiting as Waiting);
    if (!this.#sleeping) void this.#serve();
    return waiting.deferred.promise;
  }

  async #serve(): Promise<void> {
    this.#sleeping = true;
    const letGo = hold();
    for (;;) {
      const key = this.#gate.announce();
      // The look after the announcement: no wake is lost.
      if (this.free) break;
      await this.#gate.sleepAsync(key);
      if (this.free) break;
    }
    letGo();
    this.#sleeping = false;
  }

  /** Lets those at the head of the line go on, as far as they can. */
  #advance(): void {
    for (const waiting of this.#waiting) {
      try {
        const result = waiting.attempt();
        if (result === undefined) return;
        waiting.deferred.resolve(result);
      } catch (error) {
        waiting.deferred.reject(error);
      }
      this.#waiting.delete(waiting);
    }
  }
}
