/**
 * The places where people's code runs: each installs the packed package and its own tools in an empty folder, and runs the same
 * cases there. The quick ones need no tools; the others run with HEDDLE_TEST_PLACES, as by `npm run test:places`.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";

/** What a place's place.json says. */
interface Place {
  /** Whether it runs with the quick tests. */
  readonly quick?: boolean;
  /** The packages that it needs besides heddle, with their versions. */
  readonly tools?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether its job functions are a TypeScript file. */
  readonly typescript?: boolean;
  /** What to run before. */
  readonly build?: readonly (readonly string[])[];
  /** What runs the cases. */
  readonly run: readonly (readonly string[])[];
  /** What each of these prints. */
  readonly says: string;
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const places = join(root, "test", "places");
const all = process.env.HEDDLE_TEST_PLACES !== undefined;
const only = process.env.HEDDLE_TEST_PLACES?.split(",").filter((name) => name !== "all") ?? [];
const temp = realpathSync(mkdtempSync(join(tmpdir(), "heddle-places-")));
const MOST = { timeout: 240_000 };
let tarball = "";

/** What npm tells its scripts would make the npm started here work in the project instead of in the given folder. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_config_(local_)?prefix|npm_package_.*|INIT_CWD|NODE_TEST_CONTEXT)$/i.test(name),
  ),
);

/** @returns what it printed, and whether it ended well */
function run([command, ...args]: readonly string[], cwd: string, env = {}) {
  const done = spawnSync(command === "node" ? process.execPath : command, args, {
    cwd,
    encoding: "utf8",
    env: { ...environment, ...env },
    timeout: MOST.timeout,
  });
  return { ended: done.status === 0, printed: `${done.stdout}${done.stderr}${done.error ?? ""}` };
}

/** As a file of CommonJS. */
function toCommonJs(text: string): string {
  const names = [...text.matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].map(([, name]) => name);
  const body = text
    .replace(/^import (\{[^}]*\}) from "([^"]+)";$/gm, 'const $1 = require("$2");')
    .replace(/^export /gm, "");
  return `${body}\nmodule.exports = { ${names.join(", ")} };\n`;
}

function prepare(name: string, { tools = {}, typescript = false }: Place): string {
  const app = join(temp, name);
  mkdirSync(app);
  cpSync(join(places, name), app, { recursive: true });
  for (const file of ["work", "cases"]) {
    const text = readFileSync(join(places, "cases", `${file}.js`), "utf8");
    writeFileSync(join(app, `${file}.js`), text);
    writeFileSync(join(app, `${file}.cjs`), toCommonJs(text));
  }
  if (typescript) writeFileSync(join(app, "work.ts"), `// @ts-nocheck\n${readFileSync(join(app, "work.js"), "utf8")}`);
  writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  const packages = Object.entries(tools).map(([tool, version]) => `${tool}@${version}`);
  const offline = packages.length === 0 ? "--offline" : "--prefer-offline";
  const installed = run(
    ["npm", "install", offline, "--no-audit", "--no-fund", "--loglevel=error", tarball, ...packages],
    app,
  );
  assert.ok(installed.ended, `the tools of ${name} cannot be installed:\n${installed.printed}`);
  return app;
}

before(() => {
  const packed = run(["npm", "pack", "--json", "--pack-destination", temp, "--ignore-scripts"], root);
  const [{ filename }] = Object.values(JSON.parse(packed.printed) as Record<string, { filename: string }>);
  tarball = join(temp, filename);
});

after(() => rmSync(temp, { recursive: true, force: true }));

for (const name of readdirSync(places).sort()) {
  const file = join(places, name, "place.json");
  if (!existsSync(file)) continue;
  const place = JSON.parse(readFileSync(file, "utf8")) as Place;
  if (!(all || place.quick) || (only.length > 0 && !only.includes(name))) continue;
  test(`${name}: all cases`, MOST, () => {
    const app = prepare(name, place);
    for (const command of [...(place.build ?? []), ...place.run]) {
      const { ended, printed } = run(command, app, place.env);
      const said = !place.run.includes(command) || printed.includes(place.says);
      assert.ok(ended && said, `${command.join(" ")}\n${printed.slice(-4000)}`);
    }
    rmSync(app, { recursive: true, force: true });
  });
}

test("docs/places.md has the files that the places run", () => {
  const page = readFileSync(join(root, "docs", "places.md"), "utf8");
  const known = new Set(
    readdirSync(places, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(c?js|ts)$/.test(name) && name.includes("/"))
      .map((name) => readFileSync(join(places, name), "utf8").trimEnd()),
  );
  const snippets = [...page.matchAll(/^```(?:js|ts)\n([\s\S]*?)\n```$/gm)].map(([, text]) => text);
  assert.ok(snippets.length >= 15);
  for (const text of snippets) assert.ok(known.has(text), text);
});
