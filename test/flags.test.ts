/** Options of the process: a system starts under each, and runs jobs with values of all kinds. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { HANGS, PATIENCE } from "./support/hangs.js";
import { DENO } from "./support/runtime.js";

const WORK = new URL("./support/work.js", import.meta.url).href;
const PROGRAM = `(async () => {
  const { JobSystem, shared } = await import(${JSON.stringify(import.meta.resolve("heddle"))});
  const work = await import(${JSON.stringify(WORK)});
  const jobs = await JobSystem.create({ threads: 2, modules: [${JSON.stringify(WORK)}] });
  const values = [1, "a", { b: new Map([[1, 2]]) }, shared(Int32Array, [1, 2])];
  for (const value of values) require("node:assert").deepEqual(await jobs.run(work.echo, value), value);
  console.log("well done");
  await jobs.shutdown();
})()`;
const AS_MODULE = `import { createRequire } from "node:module"; const require = createRequire("file:///"); ${PROGRAM}`;

const V8 = ["--max-old-space-size=500", "--stack-trace-limit=5", "--expose-gc", "--stack-size=900"];
const PROCESS = ["--title=heddle", "--v8-pool-size=2", "--max-http-header-size=9999"];
const CASES: Record<string, { args: string[]; program?: string; env?: string }> = {
  "a module from the command line, with options of V8": { args: ["--input-type=module", ...V8], program: AS_MODULE },
  "a module from the command line, with others": { args: ["--input-type=module", ...PROCESS], program: AS_MODULE },
  "a script from the command line": { args: ["--input-type=commonjs", ...V8, ...PROCESS] },
  "a program from the command line": { args: [...V8, ...PROCESS] },
  NODE_OPTIONS: { args: [], program: AS_MODULE, env: "--input-type=module --max-old-space-size=500 --no-warnings" },
  both: { args: ["--input-type=module", ...V8], program: AS_MODULE, env: "--enable-source-maps" },
  "no just-in-time compiler, and so no WebAssembly": { args: ["--jitless"] },
};

const OF_NODE = { ...HANGS, skip: DENO && "Deno has other options" };

for (const [name, { args, program = PROGRAM, env = "" }] of Object.entries(CASES)) {
  test(`a system starts with ${name}`, OF_NODE, () => {
    const options = { encoding: "utf8", timeout: PATIENCE, env: { ...process.env, NODE_OPTIONS: env } } as const;
    const run = spawnSync(process.execPath, [...args, "-e", program], options);
    assert.equal(run.stdout, "well done\n", run.stderr);
    assert.equal(run.status, 0);
  });
}
