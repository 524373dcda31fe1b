/**
 * Runs the built tests with this runtime's own test runner; arguments are words that the names of test files contain.
 *
 * With `--long` it runs the tests that do more then, with their long bounds (test/support/long.ts), and the models, which try
 * the interleavings of the lock-free structures; what is the same as in the quick run is left out. With words, it runs all
 * files that match.
 *
 * A file that hangs is ended and counts as failed: a worker that loops for ever would keep its process alive.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** In milliseconds; the longest file, the model of deaths, takes some two minutes on a quiet machine. */
const MOST_PER_FILE = 1_200_000;
/** Files at once: some only wait, for other processes or for time to pass. */
const AT_ONCE = availableParallelism() + 3;
/** What a built test file imports that does more in the long run: its bounds, or the models, which have mutants then. */
const HAS_MORE = /support\/(long|check)\.js/;
const IS_MODEL = /^model[\\/]/;
/** The runner's usual lines, which tools read, and at the end once more what failed. */
const REPORTERS = [
  "--test-reporter=tap",
  "--test-reporter-destination=stdout",
  `--test-reporter=${new URL("failures.mjs", import.meta.url)}`,
  "--test-reporter-destination=stderr",
];
const tests = fileURLToPath(new URL("../build/test", import.meta.url));
const words = process.argv.slice(2).filter((word) => word !== "--long");
const long = words.length < process.argv.length - 2;
const files = readdirSync(tests, { recursive: true })
  .filter((name) => name.endsWith(".test.js") && words.every((word) => name.includes(word)))
  .filter((name) => long || words.length > 0 || !IS_MODEL.test(name))
  .map((name) => `${tests}/${name}`)
  .filter((file) => !long || words.length > 0 || HAS_MORE.test(readFileSync(file, "utf8")))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${words.join(" ")}`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  ["--test", ...REPORTERS, `--test-concurrency=${AT_ONCE}`, `--test-timeout=${MOST_PER_FILE}`, ...files],
  {
    stdio: "inherit",
    env: { ...process.env, ...(long && { HEDDLE_TEST_LONG: "1" }) },
  },
);
process.exit(run.status ?? 1);
