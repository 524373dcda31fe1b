/** The package as others get it: packed, installed in an empty folder, and used in every way that it promises. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { HANGS } from "./support/hangs.js";

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
  const others = paths.filter((path) => path.includes("/") && !/^(dist\/.*\.(js|d\.ts)|docs\/.*)$/.test(path));
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
exports.add = function add(a, b) { return a + b; };
`,
    "main.cjs": `
const { JobSystem } = require("heddle");
const work = require("./work.cjs");
async function main() {
  const jobs = await JobSystem.create({ threads: 2, modules: [require.resolve("./work.cjs")] });
  console.log(await jobs.run(work.add, 3, 4));
  await jobs.shutdown();
}
main();
`,
  });
  assert.equal(run(process.execPath, ["main.cjs"], app), "7\n");
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

test("the types are right in every way of resolving them that ESM packages support", () => {
  const cli = join(root, "node_modules", "@arethetypeswrong", "cli");
  const { bin } = JSON.parse(readFileSync(join(cli, "package.json"), "utf8")) as { bin: { attw: string } };
  run(process.execPath, [join(cli, bin.attw), tarball, "--profile", "esm-only", "--no-emoji", "--no-color"], root);
});
