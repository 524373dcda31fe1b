/** The explorer itself: it finds what can happen, all of it, and nothing else. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Words } from "../../dist/sync/words.js";
import { AGAIN, explore, type Program } from "./support/explore.js";

const X = 0;
const Y = 1;

/** The results of all executions of `programs`. */
function resultsOf(programs: readonly Program[], mayBeOld: readonly number[] = []): string[] {
  const found = new Set<string>();
  explore(programs, ({ results }) => found.add(results.join()), { mayBeOld: () => mayBeOld });
  return [...found].sort();
}

test("two plain increments may be one, and race", () => {
  const increment: Program = (words) => () => {
    words.i32[X] = words.i32[X] + 1;
  };
  const sums = new Set<number>();
  const check = ({ words }: { words: Words }) => sums.add(words.i32[X]);
  assert.throws(() => explore([increment, increment], check), /a data race: .* \[0\]/);
  assert.deepEqual([...sums].sort(), [1, 2]);
});

test("two atomic increments are two", () => {
  const increment: Program = (words) => () => Atomics.add(words.i32, X, 1);
  assert.deepEqual(resultsOf([increment, increment]), ["0,1", "1,0"]);
});

test("two threads that store and then load do not both miss the other's store", () => {
  const storeAndLoad =
    (mine: number, other: number): Program =>
    (words) =>
    () => {
      Atomics.store(words.i32, mine, 1);
      return Atomics.load(words.i32, other);
    };
  assert.deepEqual(resultsOf([storeAndLoad(X, Y), storeAndLoad(Y, X)]), ["0,1", "1,0", "1,1"]);
});

test("three threads of three steps each interleave in all ways", () => {
  const traces = new Set<string>();
  const append =
    (me: number): Program =>
    (words) =>
    () => {
      for (let k = 0; k < 3; k++) {
        const at = Atomics.add(words.i32, X, 1);
        Atomics.store(words.i32, 10 + at, me);
      }
    };
  explore([append(1), append(2), append(3)], ({ words }) => {
    traces.add(Array.from({ length: 9 }, (_, k) => words.i32[10 + k]).join(""));
  });
  // 9! / (3! 3! 3!)
  assert.equal(traces.size, 1680);
});

test("a plain read may return an older value, an atomic one not", () => {
  const store: Program = (words) => () => {
    words.i32[X] = 1;
    Atomics.store(words.i32, Y, 1);
    return "";
  };
  const load =
    (plain: boolean): Program =>
    (words) =>
    () => {
      if (Atomics.load(words.i32, Y) === 0) return "-";
      return plain ? words.i32[X] : Atomics.load(words.i32, X);
    };
  assert.deepEqual(resultsOf([store, load(true)], [X]), [",-", ",0", ",1"]);
  assert.deepEqual(resultsOf([store, load(false)], [X]), [",-", ",1"]);
});

test("a thread that sleeps for ever is found, and one that is woken goes on", () => {
  const sleep: Program = (words) => () => {
    Atomics.wait(words.i32, X, 0);
    return Atomics.load(words.i32, X);
  };
  const wake: Program = (words) => () => {
    Atomics.store(words.i32, X, 1);
    Atomics.notify(words.i32, X);
  };
  const wakeTooEarly: Program = (words) => () => {
    Atomics.notify(words.i32, X);
    Atomics.store(words.i32, X, 1);
  };
  assert.deepEqual(resultsOf([sleep, wake]), ["1,"]);
  assert.throws(() => resultsOf([sleep, wakeTooEarly]), /a wake was lost/);
});

test("a loop that begins anew has finitely many states", () => {
  const spin: Program = (words) => () => (Atomics.load(words.i32, X) === 0 ? AGAIN : "seen");
  const store: Program = (words) => () => {
    Atomics.store(words.i32, X, 1);
  };
  assert.deepEqual(resultsOf([spin, store]), ["seen,"]);
});

test("an access to what was given back is found", () => {
  const giveBack: Program = (words) => () => {
    words.i32[X] = 100;
  };
  const use: Program = (words) => () => Atomics.load(words.i32, 101);
  const other: Program = (words) => () => Atomics.store(words.i32, 101, 1);
  const guard = (open: readonly number[]) => ({ word: X, owner: 0, length: 2, open });
  const explored = (open: readonly number[]) => explore([giveBack, use, other], () => {}, { guard: guard(open) });
  assert.throws(() => explored([]), /uses what was given back/);
  assert.ok(explored([1]).ends > 0);
});

test("a failure comes with the steps that led to it", () => {
  const store: Program = (words) => () => Atomics.store(words.i32, X, 7);
  const load: Program = (words) => () => Atomics.load(words.i32, X);
  const check = ({ results }: { results: readonly unknown[] }) => assert.notEqual(results[1], 7);
  assert.throws(() => explore([store, load], check), /thread 0: store \[0\] 0 -> 7\nthread 1: load \[0\] 7/);
});

test("what is published by an atomic write does not race, what is published by a plain one does", () => {
  const publish =
    (plain: boolean): Program =>
    (words) =>
    () => {
      words.i32[X] = 7;
      if (plain) words.i32[Y] = 1;
      else Atomics.store(words.i32, Y, 1);
    };
  const take: Program = (words) => () => (Atomics.load(words.i32, Y) === 1 ? words.i32[X] : 0);
  assert.ok(explore([publish(false), take], () => {}).ends > 0);
  assert.throws(() => explore([publish(true), take], () => {}), /a data race/);
});
