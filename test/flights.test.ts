import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { JobSystem } from "heddle";
import { summaryGraph, WORK } from "../examples/flights/graph.js";
import { summarize } from "../examples/flights/sequential.js";
import { HANGS, PATIENCE } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";

const FILE = new URL("../../node_modules/vega-datasets/data/flights-200k.json", import.meta.url);
const MAIN = fileURLToPath(new URL("../examples/flights/main.js", import.meta.url));

test("the graph of jobs gives exactly what a sequential computation gives", HANGS, async () => {
  const file = readFileSync(FILE);
  const expected = summarize(file.toString("utf8"));
  assert.ok(expected.flights >= 200_000);
  for (const threads of bound([3], [1, 3])) {
    const jobs = await JobSystem.create({ threads, modules: [WORK] });
    try {
      assert.deepEqual(await summaryGraph(jobs, file).summary, expected);
    } finally {
      await jobs.shutdown();
    }
  }
});

test("the program prints a table, writes a chart, and refuses wrong input", { ...HANGS, ...ONLY_LONG }, () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-flights-"));
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", timeout: PATIENCE });
  try {
    const input = join(folder, "few.json");
    writeFileSync(input, '[{"delay":5,"distance":300,"time":1.5},\n {"delay":7,"distance":900,"time":1.0}]\n');
    const output = join(folder, "chart.svg");
    const good = run("--threads", "2", "--input", input, "--output", output);
    assert.equal(good.status, 0, good.stderr);
    assert.match(good.stdout, /2 flights/);
    assert.match(good.stdout, /^ {4}1 {8}2 {6}6\.0 {8}5 {8}7$/m);
    assert.match(readFileSync(output, "utf8"), /^<svg .*<\/svg>\n$/s);
    const refused = (pattern: RegExp, ...args: string[]) => {
      const bad = run(...args);
      assert.equal(bad.status, 1);
      assert.match(bad.stderr, pattern);
    };
    refused(/--threads must be a whole number/, "--threads", "zero");
    refused(/--input cannot be read: ENOENT/, "--input", join(folder, "none.json"));
    refused(/'--bad'/, "--bad");
    refused(/^--output cannot be written: .*\n$/m, "--input", input, "--output", join(input, "chart.svg"));
    const wrong = ["", '[{"delay":1,"distance":2,"time":3},null]'];
    const more = [
      "null",
      '{"not": "flights"}',
      '{"delay":1,"distance":2,"time":3}',
      '[{"delay":1,"distance":2,"time":3}',
      '[{"delay":1,"distance":2,"time":3},]',
      '[{"delay":1.5,"distance":2,"time":3}]',
      '[{"delay":1,"distance":-2,"time":3}]',
      '[{"delay":1,"distance":2,"time":-3}]',
      '[{"delay":1,"distance":2,"time":25}]',
    ];
    for (const text of bound(wrong, [...wrong, ...more])) {
      writeFileSync(input, text);
      refused(/--input is not an array of flights: .+\n$/, "--threads", "2", "--input", input, "--output", output);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
