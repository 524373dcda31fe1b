/** What came of jobs is written, whatever the database makes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HANGS, until } from "../support/hangs.js";

const part = (name: string) => import(new URL(`../../src/cluster/${name}.js`, import.meta.url).href);
const { Settler }: typeof import("../../dist/cluster/settler.js") = await part("settler");
type Held = import("../../dist/cluster/held.js").Held;

const job = (id: string): Held => ({
  id,
  retryCount: 0,
  queue: "jobs/work",
  data: { fn: "work.f" },
  place: { run: "run", job: Number(id) },
  asynchronous: false,
  abort: () => {},
  since: 0,
  noted: false,
  ended: false,
  mark: undefined,
  withdraw: () => false,
});

/** A database that refuses some results, and may be away. */
function world(refuses: (value: string) => unknown) {
  const recorded: number[] = [];
  const failed: string[] = [];
  const sizes: number[] = [];
  const boss = {
    complete: async () => {},
    fail: async (_queue: string, some: readonly Held[]) => void failed.push(...some.map(({ id }) => id)),
    getDb: () => ({}),
  };
  const database = {
    boss,
    transaction: async (steps: (sql: object) => Promise<void>) =>
      await steps({ executeSql: async () => ({ rows: [] }) }),
  };
  const store = {
    record: async (_sql: object, outcomes: readonly { job: number; value: string }[]) => {
      const error = outcomes.map(({ value }) => refuses(value)).find((each) => each !== undefined);
      if (error !== undefined) throw error;
      sizes.push(outcomes.length);
      for (const { job } of outcomes) recorded.push(job);
    },
  };
  const settled: string[] = [];
  const settler = new Settler(
    database as never,
    store as never,
    () => {},
    (some) => settled.push(...some.map(({ id }) => id)),
  );
  return { settler, recorded, failed, settled, sizes };
}

test("one result that cannot be written fails its job, and keeps no other from being written", HANGS, async () => {
  const refused = Object.assign(new Error("invalid"), { code: "22P05" });
  const { settler, recorded, failed, settled } = world((value) => (value === "bad" ? refused : undefined));
  for (let k = 0; k < 10; k++) settler.add(job(String(k)), { result: k === 6 ? "bad" : "good" });
  await until(() => settled.length === 10);
  assert.deepEqual([...recorded].sort(), [0, 1, 2, 3, 4, 5, 7, 8, 9]);
  assert.deepEqual(failed, ["6"]);
});

test("large results are written a few at a time", HANGS, async () => {
  const { settler, settled, sizes } = world(() => undefined);
  const large = "x".repeat(2 ** 22);
  for (let k = 0; k < 20; k++) settler.add(job(String(k)), { result: large });
  await until(() => settled.length === 20);
  assert.ok(Math.max(...sizes) <= 6, `${sizes}`);
});

test("while the database is away nothing is given up", HANGS, async () => {
  let away = 4;
  const gone = Object.assign(new Error("terminating connection"), { code: "57P01" });
  const { settler, settled, failed } = world(() => (away-- > 0 ? gone : undefined));
  settler.add(job("0"), { result: "good" });
  await until(() => settled.length === 1);
  assert.deepEqual(failed, []);
});
