/**
 * The places where people's code runs: each installs the packed package and its own tools in an empty folder, and runs the same
 * cases there. The quick ones need no tools, and run if nothing is said. HEDDLE_TEST_PLACES says which run: the others with `rest`,
 * as by `npm run test:places`; all with `all`; some with their names, such as `vitest,next`.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, realpathSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { ROOT } from "../support/documents.js";
import { environment, install } from "./install.js";
import { places, prepare } from "./place.js";
import { run } from "./run.js";

const wanted = process.env.HEDDLE_TEST_PLACES?.split(",") ?? ["quick"];
/** What stands for more than one place. */
const sets = ["quick", "rest", "all"];
const temp = realpathSync(mkdtempSync(join(tmpdir(), "heddle-places-")));
/** Installing is mostly waiting. */
const AT_ONCE = 2;

// Also when the tests are ended before their own end.
process.once("exit", () => rmSync(temp, { recursive: true, force: true }));

before(async () => {
  await run(["npm", "pack", "--pack-destination", temp, "--ignore-scripts"], ROOT, environment);
  const [packed] = readdirSync(temp);
  renameSync(join(temp, packed), join(temp, "heddle.tgz"));
});

describe("places", { concurrency: AT_ONCE }, () => {
  for (const [name, place] of places) {
    if (!wanted.some((each) => each === name || each === "all" || each === (place.quick ? "quick" : "rest"))) continue;
    test(`${name}: all cases`, async () => {
      const app = prepare(name, place, temp);
      await install(name, app, place);
      const env = { ...environment, ...place.env };
      for (const command of place.build ?? []) await run(command, app, env);
      for (const command of place.run) {
        const printed = await run(command, app, env);
        assert.ok(printed.includes(place.says), `${command.join(" ")}\n${printed}`);
      }
      rmSync(app, { recursive: true, force: true });
    });
  }
});

test("all names in HEDDLE_TEST_PLACES are of places", () => {
  for (const name of wanted) assert.ok(sets.includes(name) || places.has(name), `there is no place ${name}`);
});
