/** The package as others get it: packed, installed in an empty folder, and used in every way that it promises. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { HANGS } from "./support/hangs.js";
import { ONLY_LONG } from "./support/long.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const temp = realpathSync(mkdtempSync(join(tmpdir(), "heddle-pack-")));
const app = join(temp, "app");
let packed: { filename: string; files: { path: string }[] };
let tarball = "";

/** What npm tells its scripts would make the npm started here work in the project instead of in the given folder. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_config_(local_)?prefix|npm_package_.*|INIT_CWD)$/i.test(name)),
);

/** Runs a program that must succeed. @returns what it printed */
function run(command: string, args: readonly string[], cwd: string): string {
  const shell = process.platform === "win32" && command === "npm";
  const done = spawnSync(command, args, { cwd, encoding: "utf8", env: environment, shell, timeout: HANGS.timeout });
  assert.equal(done.status, 0, `${command} ${args.join(" ")}\n${done.error ?? ""}${done.stdout}${done.stderr}`);
  return done.stdout;
}

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(app, name), text);
}

before(() => {
  mkdirSync(app);
  const printed = run("npm", ["pack", "--json", "--pack-destination", temp, "--ignore-scripts"], root);
  // A list in some versions of npm, an object with a member for each package in others.
  packed = Object.values(JSON.parse(printed) as Record<string, typeof packed>)[0];
  tarball = join(temp, packed.filename);
  write({ "package.json": '{ "name": "app", "private": true, "type": "module" }\n' });
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], app);
});

after(() => rmSync(temp, { recursive: true, force: true }));

test("the package holds what is built and what is to be read, and nothing else", () => {
  const paths = packed.files.map((file) => file.path);
  for (const expected of ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "dist/index.js", "dist/index.d.ts"]) {
    assert.ok(paths.includes(expected), `${expected} is missing`);
  }
  const others = paths.filter(
    (path) => path.includes("/") && !/^(dist\/(cjs\/package\.json|.*\.(js|d\.ts))|docs\/.*)$/.test(path),
  );
  assert.deepEqual(others, []);
});

const WORK = `
import { run } from "heddle/job";
export function add(a, b) { return a + b; }
export function twice(n) { return run(add, n, n).wait(); }
`;

const MAIN = `
import { JobSystem, shared } from "heddle";
import * as work from "./work.js";
const jobs = await JobSystem.create({ threads: 2, modules: [new URL("./work.js", import.meta.url)] });
const first = jobs.spawn(work.add, 1, 2);
const second = first.then(jobs.spawn(work.twice, 20));
console.log(await second, await first, shared(Int32Array, 2).length);
await jobs.shutdown();
`;

test("a job runs from plain JavaScript", () => {
  write({ "work.js": WORK, "main.js": MAIN });
  assert.equal(run(process.execPath, ["main.js"], app), "40 3 2\n");
});

test("a job runs from CommonJS, with a module given by its absolute path", () => {
  write({
    "work.cjs": `
const { run } = require("heddle/job");
exports.add = function add(a, b) { return a + b; };
exports.twice = function twice(n) { return run(exports.add, n, n).wait(); };
exports.mixed = async (n) => (await import("heddle/job")).run(exports.add, n, 1);
`,
    "main.cjs": `
const { JobSystem } = require("heddle");
const work = require("./work.cjs");
async function main() {
  const jobs = await JobSystem.create({ threads: 2, modules: [require.resolve("./work.cjs")] });
  console.log(await jobs.run(work.add, 3, 4), await jobs.run(work.twice, 5), await jobs.run(work.mixed, 6));
  console.log(JobSystem === (await import("heddle")).JobSystem);
  await jobs.shutdown();
}
main();
`,
  });
  assert.equal(run(process.execPath, ["main.cjs"], app), "7 10 7\ntrue\n");
});

test("each entry gives what its types say, and the version is that of the package", async () => {
  for (const entry of ["index", "job", "worker"]) {
    const bundled: object = await import(`${root}/dist/${entry}.js`);
    const typed: object = await import(`${root}/build/src/${entry}.js`);
    assert.deepEqual(Object.keys(bundled).sort(), Object.keys(typed).sort());
  }
  const { VERSION } = await import(`${root}/build/src/version.js`);
  assert.equal(VERSION, JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version);
});

/** Installs another copy of heddle under another name. */
function copyAs(name: string, version?: string): void {
  const installed = join(app, "node_modules", "heddle");
  const copy = join(app, "node_modules", name);
  cpSync(installed, copy, { recursive: true, dereference: true });
  if (version === undefined) return;
  const { version: ours } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as { version: string };
  const core = join(copy, "dist", "core.chunk.js");
  writeFileSync(core, readFileSync(core, "utf8").replaceAll(ours, version));
}

test("copies of one version are one, in a job too; one of another version is refused by name", () => {
  copyAs("heddle-again");
  copyAs("heddle-older", "0.0.7");
  write({
    "copies-work.js": `
import { Channel } from "heddle-again";
import { run } from "heddle-again/job";
import { run as runByOlder } from "heddle-older/job";
export function add(a, b) { return a + b; }
export function twice(n) { return run(add, n, n).wait(); }
export function isChannel(value) { return value instanceof Channel; }
export function older() { return runByOlder(add, 1, 2).wait(); }
`,
    "copies.js": `
import { Channel, JobFailedError, JobSystem } from "heddle";
import * as again from "heddle-again";
import * as older from "heddle-older";
import * as work from "./copies-work.js";
const modules = [new URL("./copies-work.js", import.meta.url)];
console.log(again.JobSystem === JobSystem, older.JobSystem === JobSystem);
const jobs = await JobSystem.create({ threads: 1, modules });
console.log(await jobs.run(work.twice, 4), await jobs.run(work.isChannel, new Channel({ capacity: 1 })));
console.log(await jobs.run(work.older).catch((error) => error instanceof again.JobFailedError && error.cause.message));
await jobs.shutdown();
const others = await older.JobSystem.create({ threads: 1, modules });
console.log(await others.run(work.older), (await others.run(work.twice, 1).catch((error) => error)).cause.message);
await others.shutdown();
`,
  });
  const refused = (here: string, there: string) =>
    `"heddle/job" is of heddle ${here}, and the system that runs this job of heddle ${there}; install one version: npm ls heddle shows who brings which`;
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  assert.equal(
    run(process.execPath, ["copies.js"], app),
    ["true false", "8 true", refused("0.0.7", version), `3 ${refused(version, "0.0.7")}`, ""].join("\n"),
  );
});

const TYPED = {
  "typed-work.ts": `
export function add(a: number, b: number): number { return a + b; }
export function lengths(words: readonly string[]): number[] { return words.map((word) => word.length); }
`,
  "typed.ts": `
import { JobSystem, type Job } from "heddle";
import * as work from "./typed-work.ts";
const jobs = await JobSystem.create({ threads: 2, modules: [new URL("./typed-work.ts", import.meta.url)] });
const sum: Job<number> = jobs.spawn(work.add, 5, 6);
const lengths: number[] = await sum.then(jobs.spawn(work.lengths, ["a", "bcd"]));
const result: number = await sum;
console.log(result, lengths.join());
await jobs.shutdown();
`,
};

test("a job runs from TypeScript whose types the runtime strips", (t) => {
  const strips = (process.features as { typescript?: unknown }).typescript;
  const node = strips ? process.execPath : process.env.HEDDLE_NODE24;
  if (!node) {
    t.skip("this runtime does not strip types; name one that does in HEDDLE_NODE24");
    return;
  }
  write(TYPED);
  assert.equal(run(node, ["--no-warnings", "typed.ts"], app), "11 1,3\n");
});

test("types are found in the package and check arguments and results", () => {
  write({
    ...TYPED,
    "wrong.ts": `
import { JobSystem } from "heddle";
import { group, run, spawn } from "heddle/job";
import * as work from "./typed-work.ts";
const jobs = await JobSystem.create({ modules: [] });
// @ts-expect-error: a string where a number is needed
jobs.spawn(work.add, "1", 2);
// @ts-expect-error: an argument is missing
jobs.run(work.add, 1);
// @ts-expect-error: one argument too many
group().run(work.add, 1, 2, 3);
// @ts-expect-error: the result is a number
const text: string = await jobs.run(work.add, 1, 2);
// @ts-expect-error: the same within a job
const list: string[] = run(work.lengths, ["a"]).wait();
// @ts-expect-error: nothing but a function can be spawned
spawn("add", 1, 2);
// @ts-expect-error: modules are needed
await JobSystem.create({ threads: 2 });
console.log(text, list);
`,
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        target: "ES2023",
        lib: ["ES2024"],
        module: "NodeNext",
        strict: true,
        noEmit: true,
        allowImportingTsExtensions: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        types: ["node"],
        typeRoots: [join(root, "node_modules", "@types")],
      },
      files: ["typed.ts", "wrong.ts"],
    }),
  });
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", app], app);
});

test("types are right for a page, too, whose program has none of Node's types", () => {
  write({
    ...TYPED,
    "page.ts": `
import { Channel, JobSystem, shared, WaitGroup } from "heddle";
import { serve } from "heddle/worker";
import * as work from "./typed-work.js";
const jobs = await JobSystem.create({
  modules: [work],
  worker: (options) => new Worker(new URL("./jobs.worker.js", import.meta.url), { ...options, type: "module" }),
});
jobs.on("error", ({ message }) => document.body.append(message)).once("message", (value, thread) => [value, thread]);
// @ts-expect-error: a system tells of no such thing
jobs.on("exit", () => {});
const sum: number = await jobs.run(work.add, 1, 2);
// @ts-expect-error: a string where a number is needed
jobs.run(work.add, "1", 2);
console.log(sum, shared(Int32Array, 1), new Channel({ capacity: 2 }), new WaitGroup(), serve);
`,
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        target: "ES2023",
        lib: ["ES2024", "DOM"],
        module: "ESNext",
        moduleResolution: "bundler",
        strict: true,
        noEmit: true,
        // As templates for pages have it.
        skipLibCheck: true,
        types: [],
      },
      files: ["page.ts"],
    }),
  });
  run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", app], app);
});

test("publint finds no fault with the package", async () => {
  const bytes = readFileSync(tarball);
  const archive = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball: archive }, strict: true });
  const errors = messages.filter((message) => message.type === "error");
  assert.deepEqual(
    errors.map((message) => formatMessage(message, pkg ?? {})),
    [],
  );
});

test("the types are right in every way of resolving them", ONLY_LONG, () => {
  const cli = join(root, "node_modules", "@arethetypeswrong", "cli");
  const { bin } = JSON.parse(readFileSync(join(cli, "package.json"), "utf8")) as { bin: { attw: string } };
  run(process.execPath, [join(cli, bin.attw), tarball, "--profile", "strict", "--no-emoji", "--no-color"], root);
});
