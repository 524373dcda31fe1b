/** Shared memory that is full: an error, nothing lost, and it goes on when there is room again. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Job } from "heddle";
import { HANGS } from "./support/hangs.js";
import { bound, ONLY_LONG } from "./support/long.js";
import { WORK } from "./support/systems.js";
import * as work from "./support/work.js";

const part = (name: string) => import(new URL(`../src/${name}.js`, import.meta.url).href);
const { Engine }: typeof import("../dist/api/engine.js") = await part("api/engine");
const { Functions }: typeof import("../dist/api/functions.js") = await part("api/functions");
const { ArenaFullError }: typeof import("../dist/api/errors.js") = await part("api/errors");
const { layoutFor, REGION_WORDS }: typeof import("../dist/memory/layout.js") = await part("memory/layout");

/** A main thread's engine without workers, whose memory has room for `regions` regions besides what every system has. */
async function smallEngine(regions: number) {
  const whole = layoutFor(3, 1000);
  const layout = { ...whole, maxWords: whole.baseWords + regions * REGION_WORDS };
  return new Engine(undefined, layout, 0, await Functions.load([{ url: WORK.href }]), 64, [], () => {});
}

test("arguments that find no room give an ArenaFullError; when others have gone, there is room again", {
  ...HANGS,
  ...ONLY_LONG,
}, async () => {
  const engine = await smallEngine(6);
  const spawn = (text: string) => engine.spawn(work.echo, 1, text, undefined, undefined, undefined, []);
  const text = "x".repeat(200_000);
  const jobs: Job<unknown>[] = [];
  assert.throws(
    () => {
      for (;;) jobs.push(spawn(text) as Job<unknown>);
    },
    (error) => error instanceof ArenaFullError && /no room for these arguments/.test(error.message),
  );
  assert.ok(jobs.length > 2);
  const { context, runner } = engine;
  for (const job of jobs.slice(0, 2)) runner.drop((job as unknown as { _slot: number })._slot);
  spawn(text);
  spawn(text);
  assert.throws(() => spawn(text), ArenaFullError);
  // The slots of those that were refused were given back.
  for (let k = 0; k < bound(2000, 5000); k++) assert.throws(() => spawn(text), ArenaFullError);
  assert.ok(context.slots.take() !== 0);
});
