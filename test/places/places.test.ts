/**
 * The places where people's code runs: each installs the packed package and its own tools in an empty folder, and runs the same
 * cases there. The quick ones need no tools; all run with HEDDLE_TEST_PLACES=all, as by `npm run test:places`, and some with their
 * names in it, such as HEDDLE_TEST_PLACES=vitest,next.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { textOf } from "../support/documents.js";

type Command = readonly string[];

/** What a place's place.json says. */
interface Place {
  /** Whether it runs with the quick tests: it needs nothing that is not here. */
  readonly quick?: boolean;
  /** Another place, whose files it has too. */
  readonly like?: string;
  /** The packages that it needs besides heddle, with their versions. */
  readonly tools?: Readonly<Record<string, string>>;
  /** What installs all of it, if it has a package.json of its own. */
  readonly install?: readonly Command[];
  /** Where the job functions and the cases lie, if that is not the place's own folder. */
  readonly folders?: { readonly work: string; readonly cases: string };
  /** Whether its job functions are a TypeScript file. */
  readonly typescript?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** What to run before. */
  readonly build?: readonly Command[];
  /** What runs the cases. */
  readonly run: readonly Command[];
  /** What each of these prints. */
  readonly says: string;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = join(root, "test", "places");
const wanted = process.env.HEDDLE_TEST_PLACES?.split(",") ?? [];
const temp = realpathSync(mkdtempSync(join(tmpdir(), "heddle-places-")));
/** For one program, in milliseconds. */
const MOST = 300_000;
/** Installing is mostly waiting. */
const AT_ONCE = 2;
/** What is printed when npm's registry cannot be reached, or was not to be asked. */
const UNREACHED = /\b(E[A-Z_]*TIMEDOUT|E[A-Z_]*TIMEOUT|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENOTCACHED|ENOTFOUND)\b/;

const places = new Map(
  readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "place.json")))
    .map((name) => [name, JSON.parse(readFileSync(join(folder, name, "place.json"), "utf8")) as Place]),
);

/** What npm tells its scripts would make the npm started here work in the project instead of in the given folder. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_config_(local_)?prefix|npm_package_.*|INIT_CWD|NODE_TEST_CONTEXT)$/i.test(name),
  ),
);

/** Runs a program that must end well, and in time: if not, it is killed with all that it has started. @returns what it printed */
async function run([command, ...args]: Command, cwd: string, env = {}): Promise<string> {
  const child = spawn(command === "node" ? process.execPath : command, args, {
    cwd,
    detached: true,
    env: { ...environment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  }
  const timer = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), MOST);
  try {
    // Throws if the program cannot be started.
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    assert.equal(code, 0, `${[command, ...args].join(" ")}: ${signal ?? code}\n${printed}`);
  } finally {
    clearTimeout(timer);
  }
  return printed;
}

/** As a file of CommonJS. */
function toCommonJs(text: string): string {
  const names = [...text.matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].map(([, name]) => name);
  const body = text
    .replace(/^import (\{[^}]*\}) from "([^"]+)";$/gm, 'const $1 = require("$2");')
    .replace(/^export /gm, "");
  return `${body}\nmodule.exports = { ${names.join(", ")} };\n`;
}

/** Makes the folder of a place, with the package as heddle.tgz. */
function prepare(name: string, { like, folders, typescript }: Place): string {
  const app = join(temp, name);
  mkdirSync(app);
  for (const each of like === undefined ? [name] : [like, name]) {
    cpSync(join(folder, each), app, { recursive: true, filter: (path) => basename(path) !== "place.json" });
  }
  for (const file of ["work", "cases"] as const) {
    const at = join(app, folders?.[file] ?? "", file);
    const text = readFileSync(join(folder, "cases", `${file}.js`), "utf8");
    writeFileSync(`${at}.js`, text);
    writeFileSync(`${at}.cjs`, toCommonJs(text));
    if (typescript) writeFileSync(`${at}.ts`, `// @ts-nocheck\n${text}`);
  }
  copyFileSync(join(temp, "heddle.tgz"), join(app, "heddle.tgz"));
  return app;
}

/** Installs what a place needs. Where npm's registry cannot be reached, all places after it do with what npm has kept. */
async function install(name: string, app: string, place: Place): Promise<void> {
  try {
    await runInstall(app, place);
  } catch (error) {
    const text = (error as Error).message;
    const cause = UNREACHED.exec(text)?.[1];
    if (cause !== undefined) environment.npm_config_offline = "true";
    throw new Error(
      cause === undefined
        ? `what ${name} needs cannot be installed: ${text}`
        : `${name} was not tried, as npm's registry cannot be reached (${cause}): ${text}`,
    );
  }
}

async function runInstall(app: string, { install, tools = {}, env }: Place): Promise<void> {
  if (install !== undefined) {
    for (const command of install) await run(command, app, env);
    return;
  }
  writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  const packages = Object.entries(tools).map(([tool, version]) => `${tool}@${version}`);
  const from = packages.length === 0 ? "--offline" : "--prefer-offline";
  await run(["npm", "install", from, "--no-audit", "--no-fund", "--loglevel=error", "./heddle.tgz", ...packages], app);
}

before(async () => {
  await run(["npm", "pack", "--pack-destination", temp, "--ignore-scripts"], root);
  const [packed] = readdirSync(temp);
  renameSync(join(temp, packed), join(temp, "heddle.tgz"));
});

after(() => rmSync(temp, { recursive: true, force: true }));

describe("places", { concurrency: AT_ONCE }, () => {
  for (const [name, place] of places) {
    if (!place.quick && !wanted.includes("all") && !wanted.includes(name)) continue;
    test(`${name}: all cases`, async () => {
      const app = prepare(name, place);
      await install(name, app, place);
      for (const command of place.build ?? []) await run(command, app, place.env);
      for (const command of place.run) {
        const printed = await run(command, app, place.env);
        assert.ok(printed.includes(place.says), `${command.join(" ")}\n${printed}`);
      }
      rmSync(app, { recursive: true, force: true });
    });
  }
});

test("docs/places.md shows all that the places have, and nothing else", () => {
  const shown = [...textOf("docs/places.md").matchAll(/^```(\w+)\n([\s\S]*?\n)```$/gm)];
  const snippets = shown.filter(([, language]) => language !== "sh").map(([, , text]) => text);
  const lines = shown.filter(([, language]) => language === "sh").flatMap(([, , text]) => text.trimEnd().split("\n"));
  const files = [...places.keys()].flatMap((name) =>
    readdirSync(join(folder, name), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.\w+$/.test(file) && basename(file) !== "place.json")
      .map((file) => readFileSync(join(folder, name, file), "utf8")),
  );
  assert.deepEqual([...new Set(snippets)].sort(), [...new Set(files)].sort());

  const tools = [...places.values()].flatMap(({ tools = {} }) => Object.keys(tools));
  const commands = [...places.values()].flatMap(({ install = [], build = [], run, env = {} }) => {
    const settings = Object.entries(env).map(([key, value]) => `${key}="${value}"`);
    return [...install, ...build, ...run].map(([command, ...args]) => [...settings, command, ...args].join(" "));
  });
  for (const line of lines) {
    const packages = /^npm install --save-dev (.*)$/.exec(line)?.[1].split(" ");
    if (packages === undefined)
      assert.ok(
        commands.some((command) => command.includes(line)),
        line,
      );
    else for (const name of packages) assert.ok(tools.includes(name), line);
  }
});
