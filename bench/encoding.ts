/** `node build/bench/encoding.js`: what lies in a cluster's database, written and read, against `node:v8`. */
import v8 from "node:v8";
import { decode } from "../src/values/encoding/reader.js";
import { encode } from "../src/values/encoding/writer.js";
import { quantile } from "./rows.js";

const ROUNDS = 41;

const CASES: readonly (readonly [name: string, value: unknown, times: number])[] = [
  ["small object", { id: 7, name: "seven", tags: ["a", "b"], ok: true, at: 1.5 }, 2000],
  [
    "1,000 records",
    Array.from({ length: 1000 }, (_, id) => ({ id, name: `no. ${id}`, part: id / 3, odd: id % 2 === 1 })),
    10,
  ],
  ["list of 1,000 numbers", Array.from({ length: 1000 }, (_, k) => k / 3), 200],
  ["list of 100,000 numbers", Array.from({ length: 100_000 }, (_, k) => k / 3), 3],
  ["Float64Array of 100,000", Float64Array.from({ length: 100_000 }, (_, k) => k / 3), 20],
  ["text of 100,000 characters", "heddle ".repeat(14_286), 50],
];

/** Microseconds for each, at the median; taken in turn, so that what else the machine does meets both. */
function times(one: () => unknown, other: () => unknown, count: number): [number, number] {
  const taken: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [k, what] of [one, other].entries()) {
      const start = performance.now();
      for (let n = 0; n < count; n++) what();
      // The first rounds compile.
      if (round >= 10) taken[k].push(((performance.now() - start) * 1000) / count);
    }
  }
  const [a, b] = taken.map((each) =>
    quantile(
      each.sort((x, y) => x - y),
      0.5,
    ),
  );
  return [a, b];
}

const cells = ([ours, theirs]: [number, number]) =>
  [ours.toFixed(1), theirs.toFixed(1), (ours / theirs).toFixed(2)].map((cell) => cell.padStart(9)).join("");

console.log(`Node ${process.versions.node}; microseconds, and their ratio: writing, reading; bytes`);
for (const [name, value, count] of CASES) {
  const ours = encode(value);
  const theirs = v8.serialize(value);
  const writing = times(
    () => encode(value),
    () => v8.serialize(value),
    count,
  );
  const reading = times(
    () => decode(ours),
    () => v8.deserialize(theirs),
    count,
  );
  console.log(
    name.padEnd(28),
    cells(writing),
    cells(reading),
    String(ours.length).padStart(9),
    String(theirs.length).padStart(9),
  );
}
