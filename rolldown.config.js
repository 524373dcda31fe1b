/** What users install: an entry each and what they share, as every file that a thread loads makes its start slower. */
import { defineConfig } from "rolldown";

export default defineConfig({
  input: {
    index: "build/src/entries/index.js",
    job: "build/src/entries/job.js",
    cluster: "build/src/cluster.js",
    worker: "build/src/entries/worker.js",
    thread: "build/src/thread.js",
    "cluster/execute": "build/src/cluster/execute.js",
    "cluster/heartbeat-thread": "build/src/cluster/heartbeat-thread.js",
    "cli/heddle": "build/src/cli/heddle.js",
  },
  platform: "node",
  // Optional peers, which the user installs.
  external: ["pg-boss", "@electric-sql/pglite"],
  output: {
    dir: "dist",
    entryFileNames: "[name].js",
    // Beside the entries: see src/program.ts.
    chunkFileNames: "[name].chunk.js",
    codeSplitting: {
      // Without what only clusters need.
      groups: [
        {
          name: "core",
          test: /build\/src\/((house|index|job|program|version|worker)\.js|(api|values|scheduler|memory|sync|platform)\/(?!encoding))/,
        },
      ],
    },
  },
});
