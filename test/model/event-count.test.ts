/** The event count: no wake is lost, also where notifiers leave work to those that search. */
import assert from "node:assert/strict";
import { catches, holds } from "./support/check.js";
import { AGAIN, explore, type Outcome, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";

const BASE = 16;
/** A word for each of two waiters, set by the notifier. */
const FLAG = 0;
/** The counts of sleepers and searchers, of which the old value is of no use. */
const COUNTS = { unused: [BASE] };
/** How many items of work are there. */
const WORK = 4;
/** Set when the only item is done. */
const DONE = 5;

/** Sleeps until its flag is set: announce, look, sleep. Passes a wake on if the flag of `other` is set too. */
function waiter({ eventCount }: Library, me: number, threads: number, other = -1): Program {
  return (words) => () => {
    const events = new eventCount.EventCount(words, BASE, threads);
    if (Atomics.load(words.i32, FLAG + me) === 0) {
      events.prepare(me);
      if (Atomics.load(words.i32, FLAG + me) !== 0) events.cancel(me);
      else {
        events.commit(me);
        events.endSearch();
      }
      return AGAIN;
    }
    if (other >= 0 && Atomics.load(words.i32, FLAG + other) !== 0) events.notifyOne();
    return undefined;
  };
}

/** Sets flags and wakes a thread for each: any, or `target`. */
function notifier({ eventCount }: Library, flags: readonly number[], threads: number, target = -1): Program {
  return (words) => () => {
    const events = new eventCount.EventCount(words, BASE, threads);
    for (const flag of flags) Atomics.store(words.i32, FLAG + flag, 1);
    for (const _ of flags) {
      if (target >= 0) events.notify(target);
      else events.notifyOne();
    }
  };
}

function nobodyIsCounted({ words }: Outcome): void {
  assert.ok(words.i32[BASE] === 0, `${words.i32[BASE]} is left of the counts`);
}

function one(library: Library) {
  return explore([waiter(library, 0, 1), notifier(library, [0], 1)], nobodyIsCounted, COUNTS);
}

function two(library: Library) {
  const programs = [waiter(library, 0, 2, 1), waiter(library, 1, 2, 0), notifier(library, [0, 1], 2)];
  return explore(programs, nobodyIsCounted, COUNTS);
}

/** One wake is meant for the waiter, another for anyone. */
function targeted(library: Library) {
  const anyone: Program = (words) => () => {
    new library.eventCount.EventCount(words, BASE, 2).notifyOne();
  };
  return explore([waiter(library, 0, 2), notifier(library, [0], 2, 0), anyone], nobodyIsCounted, COUNTS);
}

/**
 * Takes one item of work and does what a worker does meanwhile: searches, sleeps, wakes another if there is more.
 *
 * @param searches whether it looks around before it sleeps; who has been woken searches anyway
 */
function worker({ eventCount }: Library, me: number, threads: number, searches: boolean): Program {
  return (words) => () => {
    const events = new eventCount.EventCount(words, BASE, threads);
    const there = () => Atomics.load(words.i32, WORK) > 0;
    const take = () => {
      for (;;) {
        const count = Atomics.load(words.i32, WORK);
        if (count === 0) return false;
        if (Atomics.compareExchange(words.i32, WORK, count, count - 1) === count) return true;
      }
    };
    const takeOne = () => {
      if (!take()) return AGAIN;
      if (there()) events.notifyOne();
      return undefined;
    };
    if (searches && events.startSearch(1)) {
      const seen = there();
      events.endSearch();
      if (seen) return takeOne();
    }
    events.prepare(me);
    if (there()) events.cancel(me);
    else {
      events.commit(me);
      events.endSearch();
    }
    // The last look of a searcher, after its search.
    return takeOne();
  };
}

/** Adds items of work, one by one. */
function producer({ eventCount }: Library, items: number, threads: number): Program {
  return (words) => () => {
    const events = new eventCount.EventCount(words, BASE, threads);
    for (let k = 0; k < items; k++) {
      Atomics.add(words.i32, WORK, 1);
      events.notifyOne();
    }
  };
}

/** Announces that its event loop turns, and is then in the midst of other code until the item is done. */
function computing({ eventCount }: Library, me: number, threads: number): Program {
  return (words) => () => {
    const events = new eventCount.EventCount(words, BASE, threads);
    events.prepare(me, eventCount.TURNING);
    Atomics.wait(words.i32, DONE, 0);
    // As its code does when it enters the scheduler.
    if (events.cancel(me, eventCount.TURNING)) events.notifyOne();
  };
}

/** Does the only item when it is there; sleeps before, in either way. */
function doer({ eventCount }: Library, me: number, threads: number, turning: boolean): Program {
  return (words) => () => {
    const events = new eventCount.EventCount(words, BASE, threads);
    if (Atomics.load(words.i32, WORK) > 0) {
      Atomics.store(words.i32, DONE, 1);
      Atomics.notify(words.i32, DONE);
      return undefined;
    }
    const state = turning ? eventCount.TURNING : eventCount.WAITING;
    events.prepare(me, state);
    if (Atomics.load(words.i32, WORK) > 0) events.cancel(me, state);
    else {
      events.commit(me, state);
      if (!turning) events.endSearch();
    }
    return AGAIN;
  };
}

function turning(library: Library) {
  return explore(
    [computing(library, 0, 2), doer(library, 1, 2, true), producer(library, 1, 2)],
    nobodyIsCounted,
    COUNTS,
  );
}

function blocked(library: Library) {
  return explore(
    [computing(library, 0, 2), doer(library, 1, 2, false), producer(library, 1, 2)],
    nobodyIsCounted,
    COUNTS,
  );
}

function searching(library: Library) {
  return explore(
    [worker(library, 0, 2, true), worker(library, 1, 2, false), producer(library, 2, 2)],
    nobodyIsCounted,
    COUNTS,
  );
}

holds("event count: a waiter and a notifier", one);
holds("event count: two waiters and a notifier", two);
holds("event count: a wake for one thread beside one for any", targeted);
holds("event count: an event loop that does not hear of its wake beside one that does", turning);
holds("event count: an event loop that does not hear of its wake beside a blocked thread", blocked);
holdsInLong("event count: two workers, one of which searches, and a producer", searching);

const file = "sync/event-count";

catches("a late notification is taken for one's own wake", targeted, /left of the counts/, {
  file,
  from: "Atomics.load(i32, word) === state);\n        return true;",
  to: "false);\n        return true;",
});

catches("a notifier misreads the number of sleepers", two, /a wake was lost/, {
  file,
  from: "if (counts === 0 || counts >= SEARCHER)",
  to: "if (counts !== 1)",
});

catches("a waiter that takes its announcement back ignores a wake", searching, /a wake was lost|left of the counts/, {
  file,
  from: "const before = Atomics.exchange(i32, this.wordOf(me), AWAKE);",
  to: "const before = state; Atomics.store(i32, this.wordOf(me), AWAKE);",
});

catches("a wake is delivered by a check and a store", targeted, /left of the counts/, {
  file,
  from: "if (Atomics.compareExchange(i32, word, state, AWAKE) !== state)",
  to: "if (Atomics.load(i32, word) === state) Atomics.store(i32, word, AWAKE); else",
});

catches("a search ends by a load and a store", searching, /a wake was lost|left of the counts/, {
  file,
  from: "Atomics.sub(this.#words.i32, this.#base + COUNTS, SEARCHER);",
  to: "Atomics.store(this.#words.i32, this.#base + COUNTS, Atomics.load(this.#words.i32, this.#base + COUNTS) - SEARCHER);",
});

catches("whoever is woken is not made a searcher in the same step", two, /left of the counts|a wake was lost/, {
  file,
  from: "Atomics.add(i32, this.#base + COUNTS, SEARCHER - 1);",
  to: "Atomics.sub(i32, this.#base + COUNTS, 1);",
});

catches("a search ends without being taken out of the count", searching, /a wake was lost|left of the counts/, {
  file,
  from: "else if (before === AWAKE && state === WAITING)\n            this.endSearch();",
  to: "",
});

catches("an event loop is woken before a blocked thread", blocked, /a wake was lost/, {
  file,
  from: "if (this.#wake(this.#next, WAITING))",
  to: "if (this.#wake(this.#next, TURNING))",
});

catches("one of the event loops is woken", turning, /a wake was lost/, {
  file,
  from: "any = this.#wake(thread, state) || any;",
  to: "any = any || this.#wake(thread, state);",
});

catches("a woken event loop counts as searching", turning, /left of the counts/, {
  file,
  from: "else if (state === TURNING)\n            Atomics.sub(i32, this.#base + COUNTS, 1);",
  to: "else if (state === TURNING)\n            Atomics.add(i32, this.#base + COUNTS, SEARCHER - 1);",
});
