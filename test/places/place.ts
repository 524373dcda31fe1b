/** What a place is: a folder here with a place.json, which is installed elsewhere. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { ROOT } from "../support/documents.js";
import type { Command } from "./run.js";

/** What a place's place.json says. */
export interface Place {
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

const folder = join(ROOT, "test", "places");

/** All places, by their names. */
export const places: ReadonlyMap<string, Place> = new Map(
  readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "place.json")))
    .map((name) => [name, JSON.parse(readFileSync(join(folder, name, "place.json"), "utf8")) as Place]),
);

/** The texts of a place's own files. */
export function textsOf(name: string): string[] {
  return readdirSync(join(folder, name), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.\w+$/.test(file) && basename(file) !== "place.json")
    .map((file) => readFileSync(join(folder, name, file), "utf8"));
}

/** Makes the folder of a place in another, where heddle.tgz is. @returns its path */
export function prepare(name: string, { like, folders, typescript }: Place, parent: string): string {
  const app = join(parent, name);
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
  copyFileSync(join(parent, "heddle.tgz"), join(app, "heddle.tgz"));
  return app;
}

/** As a file of CommonJS. */
function toCommonJs(text: string): string {
  const names = [...text.matchAll(/^export (?:async )?(?:function|const) (\w+)/gm)].map(([, name]) => name);
  const body = text
    .replace(/^import (\{[^}]*\}) from "([^"]+)";$/gm, 'const $1 = require("$2");')
    .replace(/^export /gm, "");
  return `${body}\nmodule.exports = { ${names.join(", ")} };\n`;
}
