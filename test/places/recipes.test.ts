/** docs/places.md is what the places have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "../support/documents.js";
import { places, textsOf } from "./place.js";

const shown = [...textOf("docs/places.md").matchAll(/^```(\w+)\n([\s\S]*?\n)```$/gm)];

test("docs/places.md shows all files of the places, and nothing else", () => {
  const snippets = shown.filter(([, language]) => language !== "sh").map(([, , text]) => text);
  const files = [...places.keys()].flatMap(textsOf);
  assert.deepEqual([...new Set(snippets)].sort(), [...new Set(files)].sort());
});

test("docs/places.md shows commands that the places run, and packages that they install", () => {
  const lines = shown.filter(([, language]) => language === "sh").flatMap(([, , text]) => text.trimEnd().split("\n"));
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
