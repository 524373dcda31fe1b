/** When workers that die are given up: after ten deaths for nothing, however slow the machine is. */
import assert from "node:assert/strict";
import test from "node:test";
import { HANGS, until } from "./support/hangs.js";
import { WORK } from "./support/systems.js";

const part = (name: string) => import(new URL(`../src/${name}.js`, import.meta.url).href);
const { Engine }: typeof import("../dist/api/engine.js") = await part("api/engine");
const { Functions }: typeof import("../dist/api/functions.js") = await part("api/functions");
const { Supervisor }: typeof import("../dist/api/supervisor.js") = await part("api/supervisor");
const { layoutFor }: typeof import("../dist/memory/layout.js") = await part("memory/layout");
type WorkerPool = import("../dist/api/worker-pool.js").WorkerPool;
type Death = Parameters<WorkerPool["onDeath"]>[0];

/** Has the only worker of a system die again and again. @returns whether it was given up, and after how many deaths */
async function dieAgainAndAgain(death: Partial<Death>, most: number): Promise<{ givenUp: boolean; deaths: number }> {
  const engine = new Engine(
    undefined,
    layoutFor(2, 1000),
    0,
    await Functions.load([{ url: WORK.href }]),
    64,
    [],
    () => {},
  );
  let replaced = 0;
  let givenUp = false;
  const pool: Pick<WorkerPool, "onDeath" | "living" | "look" | "prepareSuccessors" | "replace" | "forget"> = {
    onDeath: () => {},
    living: [],
    look() {},
    prepareSuccessors() {},
    replace() {
      replaced++;
    },
    forget() {},
  };
  new Supervisor(
    engine,
    pool as WorkerPool,
    () => {},
    () => {
      givenUp = true;
    },
  );
  let deaths = 0;
  while (!givenUp && deaths < most) {
    pool.onDeath({ thread: 1, exitCode: 1, cause: undefined, age: 0, startup: 0, killed: false, ...death });
    deaths++;
    await until(() => givenUp || replaced === deaths);
  }
  return { givenUp, deaths };
}

test("ten deaths before a worker was ready, or soon after it was, are the last", HANGS, async () => {
  assert.deepEqual(await dieAgainAndAgain({}, 30), { givenUp: true, deaths: 10 });
  assert.deepEqual(await dieAgainAndAgain({ age: 20, startup: 50 }, 30), { givenUp: true, deaths: 10 });
});

test("where workers take long to start, soon is as long", HANGS, async () => {
  assert.deepEqual(await dieAgainAndAgain({ age: 2500, startup: 27_000 }, 30), { givenUp: true, deaths: 10 });
});

test("workers that have lived for some time, or were killed, are replaced as often as need be", HANGS, async () => {
  assert.deepEqual(await dieAgainAndAgain({ age: 2500, startup: 50 }, 30), { givenUp: false, deaths: 30 });
  assert.deepEqual(await dieAgainAndAgain({ age: 20, startup: 50, killed: true }, 30), { givenUp: false, deaths: 30 });
});
