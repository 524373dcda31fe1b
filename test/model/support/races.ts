/**
 * Finds data races in one execution: a plain access, and another thread's access to the same word, one of them a
 * write, of which neither happens before the other by the memory model of JavaScript. There, only an atomic read that
 * reads what an atomic write has written orders what came before the one and what comes after the other. Where
 * nothing races, every execution is sequentially consistent, on any processor: then to explore those is enough.
 *
 * Source: C. Flanagan, S. Freund, "FastTrack: Efficient and Precise Dynamic Race Detection", PLDI 2009; simplified.
 */
import type { Kind, Step } from "./steps.js";

/** For each thread, how many of its steps are known to have happened before. */
type Clock = readonly number[];

/** The last steps of each kind that a thread has done on a word: when, or 0. */
interface Uses {
  read: number;
  write: number;
  atomicRead: number;
  atomicWrite: number;
}

interface Word {
  /** What an atomic read learns. */
  published: Clock;
  readonly uses: readonly Uses[];
}

const PLAIN: readonly Kind[] = ["read", "write"];
const READS: readonly Kind[] = ["read", "load", "wait", "notify"];

export class Races {
  readonly #clocks: number[][];
  readonly #words = new Map<number, Word>();
  readonly #mayBeOld: ReadonlySet<number>;

  /** @param mayBeOld words whose plain reads may race with writes */
  constructor(threads: number, mayBeOld: ReadonlySet<number>) {
    this.#clocks = Array.from({ length: threads }, () => new Array(threads).fill(0));
    this.#mayBeOld = mayBeOld;
  }

  /**
   * Notes a thread's next step.
   *
   * @param writes whether it has written: not all compare-exchanges do
   * @throws Error when it races with an earlier one
   */
  note(thread: number, { kind, at }: Step, writes: boolean): void {
    const clock = this.#clocks[thread];
    clock[thread]++;
    const word = this.#wordAt(at);
    const plain = PLAIN.includes(kind);
    if (!plain && kind !== "store")
      word.published.forEach((time, k) => {
        clock[k] = Math.max(clock[k], time);
      });
    this.#check(thread, kind, at, writes);
    const uses = word.uses[thread];
    if (!writes) uses[plain ? "read" : "atomicRead"] = clock[thread];
    else uses[plain ? "write" : "atomicWrite"] = clock[thread];
    // What a plain write has written is read without learning anything.
    if (writes) word.published = plain ? [] : clock.slice();
  }

  /** Whether a step of this kind may write. */
  static mayWrite(kind: Kind): boolean {
    return !READS.includes(kind);
  }

  #check(thread: number, kind: Kind, at: number, writes: boolean): void {
    const clock = this.#clocks[thread];
    const plain = PLAIN.includes(kind);
    const old = this.#mayBeOld.has(at);
    this.#wordAt(at).uses.forEach((uses, other) => {
      if (other === thread) return;
      const unknown = (time: number) => time > clock[other];
      if (old && kind === "read") return;
      const races =
        unknown(uses.write) ||
        (writes && !old && unknown(uses.read)) ||
        (plain && unknown(uses.atomicWrite)) ||
        (plain && writes && unknown(uses.atomicRead));
      if (races) throw new Error(`a data race: thread ${thread}: ${kind} [${at}] with thread ${other}`);
    });
  }

  #wordAt(at: number): Word {
    let word = this.#words.get(at);
    if (word === undefined) {
      const uses = this.#clocks.map(() => ({ read: 0, write: 0, atomicRead: 0, atomicWrite: 0 }));
      word = { published: [], uses };
      this.#words.set(at, word);
    }
    return word;
  }
}
