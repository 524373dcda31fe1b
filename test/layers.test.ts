/** What may import what: docs/architecture.md, "Layers". */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../../src", import.meta.url));
/** From the top; `program.ts` and `version.ts`, which stand alone, are below all. */
const LAYERS = ["cli", "entry", "cluster", "api", "values", "scheduler", "memory", "sync", "platform", "alone"];
const ALONE = /^(program|version)\.ts$/;

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"));

function layerOf(file: string): number {
  if (ALONE.test(file)) return LAYERS.indexOf("alone");
  const [folder, ...rest] = file.split("/");
  return LAYERS.indexOf(rest.length === 0 || folder === "entries" ? "entry" : folder);
}

/** What a file imports, types apart. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8");
  return [...text.matchAll(/^(?:import|export) (?!type )[^;]*? from "([^"]+)";|^import "([^"]+)";/gm)].map(
    ([, from, bare]) => from ?? bare,
  );
}

test("each folder imports only from those below it", () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const imported of importsOf(file)) {
      if (!imported.startsWith(".")) continue;
      const target = posix.join(posix.dirname(file), imported).replace(/\.js$/, ".ts");
      if (layerOf(target) < layerOf(file)) wrong.push(`${file} imports ${target}`);
      if (target.startsWith("platform/") && !file.startsWith("platform/") && target !== "platform/host.ts") {
        wrong.push(`${file} imports ${target}, not platform/host.ts`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test("only the platform, the cluster and the command import modules of Node's", () => {
  const wrong = files
    .filter((file) => !/^(platform|cluster|cli)\//.test(file))
    .flatMap((file) => importsOf(file).map((imported) => ({ file, imported })))
    .filter(({ imported }) => imported.startsWith("node:"));
  assert.deepEqual(wrong, []);
});
