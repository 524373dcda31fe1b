/**
 * Runs the built tests with this runtime's own test runner; arguments are names of test files.
 *
 * A file that hangs is ended and counts as failed: a worker that loops for ever would keep its process alive.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** In milliseconds; the longest file, the model of deaths, takes some two minutes on a quiet machine. */
const MOST_PER_FILE = 1_200_000;
const tests = fileURLToPath(new URL("../build/test", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(tests, { recursive: true })
  .filter((name) => name.endsWith(".test.js") && wanted.every((word) => name.includes(word)))
  .map((name) => `${tests}/${name}`)
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(" ")}`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  ["--test", "--test-concurrency=1", `--test-timeout=${MOST_PER_FILE}`, ...files],
  { stdio: "inherit" },
);
process.exit(run.status ?? 1);
