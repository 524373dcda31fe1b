/** Every snippet of the documents is run as a user would have it, word for word: it ends by itself, and prints what it is said to. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { BIN, NO_SERVER, sql, URL_OF_SERVER } from "./cluster/support/postgres.js";
import { type Block, blocksOf, documents, isAsSaid, outputOf, ROOT, textOf } from "./support/documents.js";
import { HANGS, PATIENCE } from "./support/hangs.js";
import { bound } from "./support/long.js";

const PACKAGE = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as {
  scripts: Record<string, string>;
  peerDependencies: Record<string, string>;
};
/** In place of the address of a database. */
const ADDRESS = "postgres://user@host/db";
const AT_ONCE = 2;
/** Embedded databases need less time then. */
const TEMPLATE = new URL("./cluster/support/template.js", import.meta.url).href;

/** A folder where the packages are installed, and what the document has shown before the block is in files. */
function project(t: TestContext, block: Block, url: string): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-snippet-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "@electric-sql"), { recursive: true });
  mkdirSync(join(packages, ".bin"));
  symlinkSync(ROOT, join(packages, "heddle"), "junction");
  for (const name of Object.keys(PACKAGE.peerDependencies)) {
    symlinkSync(join(ROOT, "node_modules", name), join(packages, name), "junction");
  }
  const bin = join(packages, ".bin", "heddle");
  writeFileSync(bin, `#!/bin/sh\nexec "${process.execPath}" "${BIN}" "$@"\n`);
  chmodSync(bin, 0o755);
  writeFileSync(join(folder, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  const [document] = block.place.split(":");
  for (const { place, file, code } of blocksOf(document)) {
    if (file !== "") writeFileSync(join(folder, file), code.replaceAll(ADDRESS, url));
    if (place === block.place) break;
  }
  return folder;
}

/** Starts a program, whose output is kept. It and what it has started are killed after the test. */
function start(t: TestContext, folder: string, command: string, args: readonly string[], url?: string) {
  const { HEDDLE_URL: _, ...env } = process.env;
  // The runner's own way of reporting must not be that of what it runs.
  delete env.NODE_TEST_CONTEXT;
  const child = spawn(command, args, {
    cwd: folder,
    detached: true,
    env: { ...env, ...(url !== undefined && { HEDDLE_URL: url }) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { out: "", error: "" };
  child.stdout.on("data", (data) => {
    printed.out += data;
  });
  child.stderr.on("data", (data) => {
    printed.error += data;
  });
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  t.after(() => end(child, "SIGKILL"));
  return { child, printed, ended };
}

function end({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (exitCode === null && signalCode === null) process.kill(-pid!, signal);
}

/** Runs a program to its end. @returns what it printed @throws an Error if it does not end by itself, or not well */
async function run(t: TestContext, folder: string, command: string, args: readonly string[], url?: string) {
  const { child, printed, ended } = start(t, folder, command, args, url);
  const timer = setTimeout(() => end(child, "SIGKILL"), PATIENCE);
  const [code, signal] = await ended;
  clearTimeout(timer);
  assert.equal(code, 0, `${args.at(-1)}: ${signal ?? ""}\n${printed.out}${printed.error}`);
  return printed.out;
}

async function runProgram(t: TestContext, block: Block, url?: string): Promise<void> {
  const folder = project(t, block, url ?? ADDRESS);
  const name = block.file === "" ? "example.js" : block.file;
  if (block.file === "") writeFileSync(join(folder, name), block.code.replaceAll(ADDRESS, url ?? ADDRESS));
  const before = block.code.includes("heddle/cluster") ? ["--import", TEMPLATE] : [];
  const lines = (await run(t, folder, process.execPath, [...before, name], url)).split("\n");
  for (const [k, said] of outputOf(block.code).entries()) {
    assert.ok(isAsSaid(lines[k], said), `it is said to print ${said}, and prints ${lines[k]}`);
  }
}

/** With the workers that the document starts, of its modules as they are at that block. */
async function runWithServer(t: TestContext, block: Block): Promise<void> {
  const database = `snippet_${block.place.replace(/\W/g, "_").toLowerCase()}`;
  sql(`CREATE DATABASE ${database}`);
  const url = Object.assign(new URL(URL_OF_SERVER!), { pathname: `/${database}` }).href;
  const [document] = block.place.split(":");
  const line = shellLines(document).find(({ command }) => /^(npx )?heddle worker /.test(command));
  assert.ok(line, "the document shows no worker");
  const folder = project(t, block, url);
  const worker = start(t, folder, "bash", [
    "-c",
    `PATH=node_modules/.bin:$PATH; ${line.command.replaceAll(ADDRESS, url)}`,
  ]);
  await runProgram(t, block, url);
  end(worker.child, "SIGTERM");
  await worker.ended;
  assert.match(worker.printed.out, /is ready[\s\S]*stopped/, worker.printed.error);
}

/** The lines of a document's shell blocks, without their comments. */
function shellLines(document: string): { place: string; command: string }[] {
  return blocksOf(document)
    .filter(({ language }) => language === "sh")
    .flatMap(({ place, code }) => code.split("\n").map((line) => ({ place, command: line.replace(/(^|\s+)#.*$/, "") })))
    .filter(({ command }) => command !== "");
}

/** Whether the packages are those that this one needs, in the versions that it needs. */
function checkInstall(packages: readonly string[]): void {
  const named = new Map(packages.map((each) => [each.replace(/(.)@.*$/, "$1"), /.@(.*)$/.exec(each)?.[1]]));
  for (const [name, version] of named) {
    if (name === "heddle") continue;
    const needed = PACKAGE.peerDependencies[name];
    assert.ok(needed, `${name} is no package that heddle needs`);
    // npm would install an old pg-boss on Node 20 if it was not told which.
    if (name === "pg-boss") assert.equal(version, needed.replace(/^\^(\d+)\..*$/, "$1"));
  }
  if (named.has("@electric-sql/pglite")) assert.ok(named.has("pg-boss"), "the embedded database needs pg-boss, too");
}

async function checkCommand(t: TestContext, command: string): Promise<void> {
  const words = command.split(/\s+/);
  if (words[0] === "npx") words.shift();
  if (words[0] === "npm" && words[1] === "install") return checkInstall(words.slice(2));
  if (words[0] === "npm") {
    assert.ok(words[words[1] === "run" ? 2 : 1] in PACKAGE.scripts, `package.json has no script for ${command}`);
    return;
  }
  assert.equal(words[0], "heddle", `a test does not know how to run ${command}`);
  // Options that it does not have would be an error.
  const help = await run(t, ROOT, process.execPath, [BIN, ...words.slice(1), "--help"]);
  assert.ok(help.includes(`heddle ${words[1]}`), `heddle has no command ${words[1]}`);
}

describe("snippets", { ...HANGS, concurrency: AT_ONCE }, () => {
  // What docs/places.md shows, test/places runs.
  for (const document of bound(["README.md"], documents()).filter((name) => name !== "docs/places.md")) {
    for (const block of blocksOf(document)) {
      const { place, language, code } = block;
      if (language !== "js") {
        test(`${place}: a test knows what to do with it`, () => assert.match(language, /^(sh|sql)$/));
        continue;
      }
      const url = code.includes(ADDRESS);
      if (!code.includes(`url: "${ADDRESS}"`)) test(place, HANGS, (t) => runProgram(t, block));
      if (url) test(`${place}, with a server`, { ...HANGS, skip: NO_SERVER }, (t) => runWithServer(t, block));
    }
    for (const { place, command } of shellLines(document)) {
      test(`${place}: ${command}`, HANGS, (t) => checkCommand(t, command));
    }
    for (const [, packages] of textOf(document).matchAll(/`npm install ([^`]*)`/g)) {
      test(`${document}: npm install ${packages}`, () => checkInstall(packages.split(" ")));
    }
  }
});
