/** The deque: each item is taken once, also while the array grows, and by batches. */
import { catches, holds, sameNumbers } from "./support/check.js";
import { explore, type Outcome, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";

const BASE = 32;
/** Where arrays are allocated, one after the other. */
const ARRAYS = 128;
const ARRAY_WORDS = 32;

/** A thief may read an item that another one has taken, which is being written over: then it does not get it. */
const ITEMS = { mayRace: (word: number) => word >= ARRAYS };

type Deque = InstanceType<Library["deque"]["Deque"]>;

/** A program that owns the deque; the first array has room for two items. */
function owner({ deque }: Library, use: (own: Deque) => number[]): Program {
  return (words) => () => {
    let next = ARRAYS;
    const allocate = () => {
      next += ARRAY_WORDS;
      return next - ARRAY_WORDS;
    };
    return use(new deque.Deque(words, BASE, allocate));
  };
}

function thief({ deque }: Library, steals = 1): Program {
  return (words) => () => {
    const from = new deque.Deque(words, BASE, () => 0);
    return Array.from({ length: steals }, () => from.steal());
  };
}

function batchThief({ deque }: Library): Program {
  return (words) => () => {
    const out = new Int32Array(4);
    const count = new deque.Deque(words, BASE, () => 0).stealMany(out, 4);
    return [...out.subarray(0, count)];
  };
}

/** Pushes items one by one. */
function push(own: Deque, items: readonly number[]): void {
  for (const item of items) {
    own.append(item);
    own.publish();
  }
}

/** That each of `expected` has been taken once, or is left. */
function taken({ deque }: Library, expected: readonly number[]) {
  return ({ words, results }: Outcome) => {
    const rest = new deque.Deque(words, BASE, () => 0);
    const all = (results as number[][]).flat();
    for (let item = rest.steal(); item !== deque.NOTHING; item = rest.steal()) all.push(item);
    const items = all.filter((item) => item !== deque.NOTHING);
    sameNumbers(items, expected, "taken");
  };
}

const owned = (thieves: number) => (library: Library) => {
  const own = owner(library, (to) => {
    push(to, [7, 8]);
    return [to.pop(), to.pop()];
  });
  return explore([own, ...Array.from({ length: thieves }, () => thief(library))], taken(library, [7, 8]), ITEMS);
};

/** The array grows from two items to four while a thief reads from it. */
function growing(library: Library) {
  const own = owner(library, (to) => {
    push(to, [1, 2, 3]);
    return [to.pop()];
  });
  return explore([own, thief(library, 2), thief(library)], taken(library, [1, 2, 3]), ITEMS);
}

/** As an injector: the owner appends, grows, and never pops. */
function queue(library: Library) {
  const own = owner(library, (to) => {
    for (const item of [1, 2]) to.append(item);
    to.publish();
    for (const item of [3, 4]) to.append(item);
    to.publish();
    return [];
  });
  return explore([own, batchThief(library), batchThief(library)], taken(library, [1, 2, 3, 4]), ITEMS);
}

holds("deque: an owner and a thief", owned(1));
holds("deque: an owner and two thieves", owned(2));
holds("deque: the array grows beside two thieves", growing);
holds("deque as a queue: it grows beside two thieves of batches", queue);

const file = "sync/deque";

catches("the owner takes the last item without asking", owned(1), /taken/, {
  file,
  from: "if (Atomics.compareExchange(i32, this.#base + TOP, top, (top + 1) | 0) !== top)",
  to: "Atomics.store(i32, this.#base + TOP, (top + 1) | 0);\n            if (false)",
});

catches("the owner reads TOP before it lowers BOTTOM", owned(2), /taken/, {
  file,
  from: "Atomics.store(i32, this.#base + BOTTOM, bottom);\n        const top = Atomics.load(i32, this.#base + TOP);",
  to: "const top = Atomics.load(i32, this.#base + TOP);\n        Atomics.store(i32, this.#base + BOTTOM, bottom);",
});

catches(
  "a thief reads BOTTOM before TOP",
  owned(1),
  /taken/,
  {
    file,
    from: `const bottom = Atomics.load(words.i32, base + BOTTOM);
            if (((bottom - top) | 0) <= 0)
                return NOTHING;
            const item = this.#read(top);`,
    to: `if (((bottom - top) | 0) <= 0)
                return NOTHING;
            const item = this.#read(top);`,
  },
  {
    file,
    from: `// TOP before BOTTOM: else an item that the owner took in between could seem to be there.`,
    to: `const bottom = Atomics.load(words.i32, base + BOTTOM);`,
  },
);

catches("a thief claims an item by a check and a store", owned(2), /taken/, {
  file,
  from: "if (Atomics.compareExchange(words.i32, base + TOP, top, (top + 1) | 0) === top)",
  to: "if (Atomics.load(words.i32, base + TOP) === top && (Atomics.store(words.i32, base + TOP, (top + 1) | 0), true))",
});

catches(
  "a thief reads its item after it has claimed it",
  growing,
  /taken/,
  {
    file,
    from: "const item = this.#read(top);\n            // Not taken",
    to: "const item = least;\n            // Not taken",
  },
  {
    file,
    from: "(top + 1) | 0) === top)\n                return item;",
    to: "(top + 1) | 0) === top)\n                return this.#read(top);",
  },
);

catches("a thief claims a batch by a check and a store", queue, /taken/, {
  file,
  from: "if (Atomics.compareExchange(words.i32, base + TOP, top, (top + count) | 0) === top)",
  to: "if (Atomics.load(words.i32, base + TOP) === top && (Atomics.store(words.i32, base + TOP, (top + count) | 0), true))",
});

catches("a larger array is published before the items are copied", growing, /taken/, {
  file,
  from: "for (let k = 0; k < count; k++) {\n            const position = (this.#top + k) | 0;",
  to: "Atomics.store(i32, this.#base + ARRAY, array | log);\n        for (let k = 0; k < count; k++) {\n            const position = (this.#top + k) | 0;",
});

catches("an item is published before it is written", owned(1), /taken/, {
  file,
  from: "this.#words.i32[this.#array + (this.#bottom & this.#mask)] = item;",
  to: "Atomics.store(this.#words.i32, this.#base + BOTTOM, this.#bottom + 1);\n        this.#words.i32[this.#array + (this.#bottom & this.#mask)] = item;",
});

catches("items are published by a plain write", owned(1), /a data race/, {
  file,
  from: "Atomics.store(this.#words.i32, this.#base + BOTTOM, this.#bottom);",
  to: "this.#words.i32[this.#base + BOTTOM] = this.#bottom;",
});
