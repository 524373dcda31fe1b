/**
 * What users install: a file for each entry and what they share, as every file that a thread loads makes its start slower. In `cjs`
 * the same for `require`, in `browser` for browsers.
 */
import { cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "rolldown";

const forThreads = {
  index: "build/src/entries/index.js",
  job: "build/src/entries/job.js",
  worker: "build/src/entries/worker.js",
  thread: "build/src/thread.js",
};
const input = {
  ...forThreads,
  cluster: "build/src/cluster.js",
  "cluster/execute": "build/src/cluster/execute.js",
  "cluster/heartbeat-thread": "build/src/cluster/heartbeat-thread.js",
};
/** What every thread loads: without what only clusters need. */
const CORE =
  /build\/src\/((house|index|job|program|version|worker)\.js|(api|values|scheduler|memory|sync|platform)\/(?!encoding))/;
const common = {
  platform: "node",
  // Optional peers, which the user installs.
  external: ["pg-boss", "@electric-sql/pglite"],
};
const output = {
  entryFileNames: "[name].js",
  // Beside the entries: see src/program.ts.
  chunkFileNames: "[name].chunk.js",
  codeSplitting: { groups: [{ name: "core", test: CORE }] },
};

/** Of the two hosts, that of browsers. */
const web = {
  name: "platform/web.js for platform/host.js",
  resolveId(source, importer) {
    return source.endsWith("platform/host.js") ? this.resolve(source.replace(/host\.js$/, "web.js"), importer) : null;
  },
};

/** Types of their own for `require`: those beside ESM are taken for ESM. */
const types = {
  name: "types for CommonJS",
  writeBundle() {
    for (const name of readdirSync("dist", { recursive: true })) {
      if (name.endsWith(".d.ts") && !name.startsWith("cjs")) cpSync(join("dist", name), join("dist", "cjs", name));
    }
    writeFileSync("dist/cjs/package.json", '{ "type": "commonjs" }\n');
  },
};

export default defineConfig([
  { ...common, input: { ...input, "cli/heddle": "build/src/cli/heddle.js" }, output: { ...output, dir: "dist" } },
  { ...common, input, output: { ...output, dir: "dist/cjs", format: "cjs" }, plugins: [types] },
  { input: forThreads, platform: "browser", output: { ...output, dir: "dist/browser" }, plugins: [web] },
]);
