import { KIND, KIND_WAIT_GROUP, W_COUNTDOWN, WAIT_GROUP_WORDS } from "../memory/primitives.js";
import { hold, mayBlock } from "../platform/host.js";
import { Countdown, MOST, OUT_OF_RANGE } from "../sync/countdown.js";
import { fixedWords } from "../sync/words.js";
import { isShared } from "../values/boxes.js";
import { beforeBlocking } from "./blocking.js";
import { engineHere } from "./current.js";
import { mustNotBlock, WouldBlockError } from "./errors.js";
import { checkWhole } from "./options.js";
import { Primitive } from "./primitive.js";
import { sharedBuffer } from "./shared-memory.js";

/**
 * Waits until a number of things are done, on whichever threads: `add` announces them, each calls `done`,
 * and `wait` resolves when the count has come down to zero. It goes by reference to jobs, as arguments
 * and results, and to other threads by its `buffer`.
 *
 * It can be used again after that: those who wait are released by the first zero after they began, even
 * if the count is raised again before they go on; who begins to wait after that waits for the next one.
 * Call `add` before what calls `done` can run, else the count may come to zero too early. A job that may
 * throw calls `done` in `finally`.
 *
 * @example
 * const loaded = new WaitGroup();
 * loaded.add(tiles.length);
 * for (const tile of tiles) jobs.run(work.load, tile, loaded); // each calls loaded.done()
 * await loaded.wait();
 */
export class WaitGroup extends Primitive {
  readonly #countdown: Countdown;

  /**
   * @param buffer the `buffer` of a wait group to be shared; without it, a new one is made, with a count of 0
   * @throws TypeError when `buffer` is something else
   */
  constructor(buffer?: SharedArrayBuffer) {
    if (buffer !== undefined && !isShared(buffer)) {
      throw new TypeError("buffer must be the buffer of a WaitGroup, or nothing for a new one");
    }
    super(buffer ?? makeBuffer(), KIND_WAIT_GROUP);
    this.#countdown = new Countdown(fixedWords(new Int32Array(this.buffer)), W_COUNTDOWN);
  }

  get [Symbol.toStringTag](): string {
    return "WaitGroup";
  }

  /** How many things are announced and not yet done. */
  get count(): number {
    return this.#countdown.count;
  }

  /**
   * Announces `n` more things to wait for.
   *
   * @param n 1 (what it is if left out) to 4,194,303
   * @throws TypeError, RangeError when `n` is something else, or the count would exceed 4,194,303
   */
  add(n = 1): void {
    checkWhole("n", n, 1, MOST);
    if (this.#countdown.raise(n) === OUT_OF_RANGE) {
      throw new RangeError(
        `n is ${n}, and the wait group's count would exceed ${MOST}; wait for some before you add more`,
      );
    }
  }

  /**
   * Says that one thing is done. What this thread has written to shared memory before is seen by those who wait.
   *
   * @throws RangeError when the count is 0 already
   */
  done(): void {
    if (this.#countdown.lower() === OUT_OF_RANGE) {
      throw new RangeError(
        "done() was called more often than add() has announced: the count would become negative; call add(n) before the n things start",
      );
    }
  }

  /**
   * Waits until the count has come down to zero; resolves at once if it is zero. Keeps this thread alive meanwhile.
   *
   * @returns a promise that never rejects
   */
  async wait(): Promise<void> {
    const { round } = this.#countdown;
    if (this.#countdown.over(round)) return;
    const letGo = hold();
    while (!this.#countdown.over(round)) await this.#countdown.sleepAsync(round);
    letGo();
  }

  /**
   * As `wait`, but blocks this thread: for jobs. A thread that is in a job executes others meanwhile, as
   * `job.wait()` does.
   *
   * @throws RangeError when jobs wait inside jobs too deeply; WouldBlockError with `threads: 0`, where no job is left that could
   * bring the count to zero, and where a thread must not block: on the
   * main thread of a page
   */
  waitSync(): void {
    const countdown = this.#countdown;
    const { round } = countdown;
    if (countdown.over(round)) return;
    const engine = engineHere();
    if (!mayBlock && !engine?.context.alone) throw mustNotBlock("waitSync()", "await waitGroup.wait()");
    if (engine === undefined) {
      beforeBlocking();
      while (!countdown.over(round)) countdown.sleep(round);
      return;
    }
    const settled = engine.helpUntil({
      get settled() {
        return countdown.over(round);
      },
      _sleep: (milliseconds) => countdown.sleep(round, milliseconds),
    });
    if (!settled) {
      throw new WouldBlockError(
        "a wait group would block the only thread there is (threads: 0), and no job is left that could bring its count to zero; use await waitGroup.wait()",
      );
    }
  }
}

function makeBuffer(): SharedArrayBuffer {
  const buffer = sharedBuffer(4 * WAIT_GROUP_WORDS);
  new Int32Array(buffer)[KIND] = KIND_WAIT_GROUP;
  return buffer;
}
