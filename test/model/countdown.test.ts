/** The countdown of wait groups: it counts right, and whoever waits is released by a zero. */
import assert from "node:assert/strict";
import type { Countdown } from "../../dist/sync/countdown.js";
import { catches, holds, sameNumbers } from "./support/check.js";
import { explore, type Outcome, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";

const WORD = 0;
/** A word for each that lowers the count, which it writes before: who waits sees them. */
const DONE = 16;

function user({ countdown }: Library, use: (count: Countdown, i32: Int32Array) => unknown): Program {
  return (words) => () => use(new countdown.Countdown(words, WORD), words.i32);
}

/** Explores users of a countdown that is at `count` in the beginning. */
function from(count: number, programs: readonly Program[], check: (outcome: Outcome) => void) {
  return explore(programs, check, {
    setUp: ({ i32 }) => {
      i32[WORD] = count;
    },
  });
}

const lower = (library: Library, me: number) =>
  user(library, (count, i32) => {
    i32[DONE + me] = 1;
    return count.lower();
  });

/** @returns how many have lowered the count by then */
const waiter = (library: Library) =>
  user(library, (count, i32) => {
    const { round } = count;
    while (!count.over(round)) count.sleep(round);
    return i32[DONE] + i32[DONE + 1];
  });

const waited = (library: Library) =>
  from(2, [lower(library, 0), lower(library, 1), waiter(library)], ({ results }) => {
    sameNumbers(results.slice(0, 2) as number[], [0, 1], "lowered to");
    assert.ok(results[2] === 2, "a wait was too short");
  });

/** One lowers the count to zero and raises it again; two began to wait before. */
const reused = (library: Library) => {
  const again = user(library, (count) => {
    count.lower();
    count.raise(2);
    count.lower();
  });
  const early = user(library, (count) => {
    while (!count.over(0)) count.sleep(0);
  });
  return from(1, [again, early, early], ({ words }) => {
    assert.ok(new library.countdown.Countdown(words, WORD).count === 1, "the count is wrong");
  });
};

const tooLow = (library: Library) =>
  from(1, [lower(library, 0), lower(library, 1)], ({ words, results }) => {
    sameNumbers(results as number[], [0, library.countdown.OUT_OF_RANGE], "lowered to");
    assert.ok(new library.countdown.Countdown(words, WORD).count === 0, "the count is wrong");
  });

holds("countdown: two lower it and one waits", waited);
holds("countdown: it is raised again while two wait", reused);
holds("countdown: it is lowered too often", tooLow);

const file = "sync/countdown";

catches("the count is lowered by a check and a store", waited, /a wake was lost|lowered to/, {
  file,
  from: "Atomics.compareExchange(i32, this.#word, state, next) !== state",
  to: "Atomics.load(i32, this.#word) !== state || (Atomics.store(i32, this.#word, next), false)",
});

catches("a waiter does not look at the round", reused, /a wake was lost/, {
  file,
  from: " || state >>> COUNT_BITS !== round",
  to: "",
});

catches("a waiter looks plainly", waited, /a data race/, {
  file,
  from: "return isOver(Atomics.load(this.#words.i32, this.#word), round);",
  to: "return isOver(this.#words.i32[this.#word], round);",
});
