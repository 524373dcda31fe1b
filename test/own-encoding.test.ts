/** Where the runtime has no serialiser, values go between threads in heddle's own encoding: as they do by V8's. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { cloneable } from "./support/cloneable.js";
import { HANGS } from "./support/hangs.js";
import { ONLY_LONG } from "./support/long.js";
import { ODD_NAMES, oddIn, PLACE_NAMES } from "./support/odd.js";

interface Cloner {
  serialize(value: unknown): Uint8Array;
  deserialize(bytes: Uint8Array, again?: boolean): unknown;
}
const { Cloner }: { Cloner: new (numbers?: object, byEngine?: boolean) => Cloner } = await import(
  new URL("../src/values/clone.js", import.meta.url).href
);
const { blameFor }: { blameFor: (...args: unknown[]) => { path: string; reason: string } } = await import(
  new URL("../src/values/blame.js", import.meta.url).href
);

/** Gives numbers as threads of one system do. */
function numbers() {
  const objects: object[] = [];
  let travelling = 0;
  return {
    ports: true,
    depart: (object: object) => {
      travelling++;
      return objects.push(object);
    },
    arrive: (number: number) => {
      travelling--;
      return objects[number - 1];
    },
    find: (number: number) => objects[number - 1],
    end: () => {
      travelling--;
    },
    get travelling() {
      return travelling;
    },
  };
}

/** Copies a value in both ways. */
function both(value: unknown): [own: unknown, engine: unknown] {
  return [false, true].map((byEngine) => {
    const cloner = new Cloner(numbers(), byEngine);
    return cloner.deserialize(cloner.serialize(value));
  }) as [unknown, unknown];
}

test("any value comes through as by the engine's serialiser", () => {
  fc.assert(
    fc.property(cloneable, (value) => {
      const [own, engine] = both(value);
      assert.deepStrictEqual(own, engine);
    }),
    { numRuns: 2000 },
  );
});

test("memory that is shared and objects of the runtime go by reference", () => {
  const memory = new SharedArrayBuffer(16);
  const growable = new SharedArrayBuffer(8, { maxByteLength: 64 });
  const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  const value = {
    views: [
      new Int32Array(memory, 4, 2),
      new DataView(memory),
      new Uint8Array(growable, 4),
      new Uint8Array(growable, 1, 2),
    ],
    module,
    again: [module, new DOMException("stop", "AbortError")],
  };
  const both = [false, true].map((byEngine) => {
    const given = numbers();
    const cloner = new Cloner(given, byEngine);
    const bytes = cloner.serialize(value);
    const first = cloner.deserialize(bytes, true) as typeof value;
    const copy = cloner.deserialize(bytes) as typeof value;
    assert.equal(given.travelling, 0);
    assert.equal(first.views[0].buffer, memory);
    return copy;
  });
  for (const copy of both) {
    const [ints, data, tracking, fixed] = copy.views as [Int32Array, DataView, Uint8Array, Uint8Array];
    assert.equal(ints.buffer, memory);
    assert.deepEqual([ints.byteOffset, ints.length, data.byteLength], [4, 2, 16]);
    assert.deepEqual([tracking.byteOffset, tracking.length, fixed.byteOffset, fixed.length], [4, 4, 1, 2]);
    assert.equal(copy.module, module);
    assert.equal(copy.again[0], module);
    assert.equal((copy.again[1] as DOMException).name, "AbortError");
  }
});

test("what cannot be copied is refused with the same words, and nothing stays under way", () => {
  const memory = new Int32Array(new SharedArrayBuffer(8));
  const odd: unknown[] = [() => {}, Symbol("odd"), new WeakMap(), Promise.resolve(), new Proxy({}, {})];
  for (const part of [...odd, new Blob([]), new Headers()]) {
    const messages = [false, true].map((byEngine) => {
      const given = numbers();
      const cloner = new Cloner(given, byEngine);
      let message = "";
      try {
        cloner.serialize({ memory, part });
      } catch (error) {
        assert.equal((error as Error).name, "DataCloneError");
        ({ message } = error as Error);
      }
      return [message, message === "" || given.travelling === 0];
    });
    assert.deepEqual(messages[0], messages[1]);
  }
});

test("odd values are copied or refused as by the engine's serialiser, with the same paths", () => {
  /** What comes of a value: where it is refused, if it is. */
  const outcome = (value: unknown, byEngine: boolean) => {
    const cloner = new Cloner(numbers(), byEngine);
    try {
      cloner.deserialize(cloner.serialize(value));
      return "copied";
    } catch (error) {
      return blameFor(error, value, cloner, () => undefined).path || "the whole";
    }
  };
  // The engine leaves out what an AggregateError holds.
  const places = PLACE_NAMES.filter((place) => place !== "in an aggregate");
  for (const name of ODD_NAMES) {
    for (const place of places) {
      const [own, engine] = [false, true].map((byEngine) => outcome(oddIn(name, [place]), byEngine));
      assert.equal(own, engine, `${name}, ${place}`);
    }
  }
});

const FILES = ["values", "fuzz-values", "fuzz-thrown", "failures", "handles", "jobs"];

test("jobs pass their tests where the runtime has no serialiser", { ...HANGS, ...ONLY_LONG }, async () => {
  const program = spawn(
    process.execPath,
    [
      "--import",
      new URL("./support/without-serializer.js", import.meta.url).href,
      "--test",
      ...FILES.map((file) => fileURLToPath(new URL(`./${file}.test.js`, import.meta.url))),
    ],
    {
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, HEDDLE_TEST_LONG: undefined },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let printed = "";
  program.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const [code] = await once(program, "close");
  assert.equal(code, 0, printed);
});
