/** The pool: a cell is in one place only, wherever it came from, and there are as many as the limit says. */
import assert from "node:assert/strict";
import type { Pool } from "../../dist/memory/pool.js";
import type { Words } from "../../dist/sync/words.js";
import { catches, holds } from "./support/check.js";
import { explore, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { contextOn, type Sizes, setUp, smallLayout } from "./support/world.js";

/** Takes and gives cells, and writes its mark over the words of those that it holds. */
class Holder {
  readonly #pool: Pool;
  readonly #words: Words;
  readonly #link: number;
  readonly #mark: number;
  readonly #held: number[] = [];

  constructor(library: Library, words: Words, me: number, sizes: Sizes) {
    this.#pool = contextOn(library, words, smallLayout(library, 3, sizes), me).slots;
    this.#words = words;
    this.#link = library.layout.S_LINK;
    this.#mark = 1000 + me;
  }

  take(count: number): this {
    for (let k = 0; k < count; k++) {
      const cell = this.#pool.take();
      if (cell === 0) break;
      this.#held.push(cell);
      for (const word of [0, 1]) this.#words.i32[cell + this.#link + word] = this.#mark;
    }
    return this;
  }

  give(count: number): this {
    for (const cell of this.#held.splice(0, count)) {
      for (const word of [0, 1]) {
        assert.ok(this.#words.i32[cell + this.#link + word] === this.#mark, `cell ${cell} is held twice`);
      }
      this.#pool.give(cell);
    }
    return this;
  }

  /** All cells that this thread has, free ones too. */
  all(): number[] {
    const cells = [...this.#held];
    while (!this.#pool.empty) cells.push(this.#pool.take());
    return cells;
  }
}

/** Users do what they do with a pool of as many cells as its limit says; at the end, each is in one place. */
function share(library: Library, sizes: Sizes, uses: readonly [number, (holder: Holder) => Holder][]) {
  const holderOn = (words: Words, me: number) => new Holder(library, words, me, sizes);
  const programs = uses.map(
    ([before, use], me): Program =>
      (words) => {
        const holder = holderOn(words, me).take(before);
        return () => use(holder).all();
      },
  );
  const check = ({ words, results }: { words: Words; results: readonly unknown[] }) => {
    const rest = holderOn(words, 0).take(100).all();
    const cells = [...(results as number[][]).flat(), ...rest];
    assert.ok(new Set(cells).size === cells.length, `a cell is in two places: ${cells}`);
    assert.ok(cells.length === sizes.slotLimit, `${cells.length} cells instead of ${sizes.slotLimit}`);
  };
  return explore(programs, check, { setUp: (words) => setUp(library, words, smallLayout(library, 3, sizes)) });
}

/** One gives more than it may keep, so that batches of two get to the others. */
const exchanging = (library: Library) =>
  share(library, { batch: 2, slotLimit: 6 }, [
    [6, (holder) => holder.give(5).take(1)],
    [0, (holder) => holder.take(2).give(1)],
    [0, (holder) => holder.take(1)],
  ]);

/** From one region, which is soon carved up, and then from another. */
const carving = (library: Library) =>
  share(library, { carvedSlots: 2, slotLimit: 4 }, [
    [1, (holder) => holder.take(1)],
    [0, (holder) => holder.take(2)],
  ]);

/** Each cell has a region of its own. */
const regions = (library: Library) =>
  share(library, { carvedSlots: 1, slotLimit: 4 }, [
    [0, (holder) => holder.take(2)],
    [0, (holder) => holder.take(2)],
  ]);

const limited = (library: Library) =>
  share(library, { slotLimit: 2 }, [
    [0, (holder) => holder.take(1)],
    [0, (holder) => holder.take(1)],
    [0, (holder) => holder.take(1)],
  ]);

holds("pool: batches go from one thread to two others", exchanging);
holds("pool: two threads carve a region up", carving);
holdsInLong("pool: two threads add regions", regions);
holds("pool: three threads carve up to the limit", limited);

const file = "memory/pool";

catches("a batch is carved by a check and a store", carving, /two places/, {
  file,
  from: "if (Atomics.compareExchange(memory.i32, this.#carving, from, end) === from) {",
  to: "if (Atomics.load(memory.i32, this.#carving) === from) { Atomics.store(memory.i32, this.#carving, end);",
});

catches("the limit is looked at before cells are reserved", limited, /3 cells instead of 2/, {
  file,
  from: `if (Atomics.add(memory.i32, counter, batch) + batch > this.#limit) {
                Atomics.sub(memory.i32, counter, batch);`,
  to: `if (Atomics.load(memory.i32, counter) + batch <= this.#limit) Atomics.add(memory.i32, counter, batch);
            else {`,
});

catches("a batch is sent before it is written into its carriers", exchanging, /two places|instead of 6/, {
  file,
  from: "if (this.#exchange.send(this.#pack(oldest)) !== SENT)",
  to: "const sent = this.#exchange.send(oldest[0]); this.#pack(oldest);\n        if (sent !== SENT)",
});

catches("a batch that was sent stays with its thread as well", exchanging, /held twice|two places/, {
  file,
  from: "i32[this.#free + k] = i32[this.#free + batch + k];",
  to: "void 0;",
});

catches("a region is added by a check and a store", regions, /two places/, {
  file: "memory/memory",
  from: "if (Atomics.compareExchange(this.i32, H_REGIONS_END, start, end) === start) {",
  to: "if (Atomics.load(this.i32, H_REGIONS_END) === start) { Atomics.store(this.i32, H_REGIONS_END, end);",
});
