import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { JobSystem, UnknownJobFunctionError } from "heddle";
import { assertHelpful, ODD_WORK, stillWorks } from "./support/fuzz.js";
import { bound } from "./support/long.js";
import { BUN, DENO } from "./support/runtime.js";

/** A module of its own, in the URL. */
function source(text: string): string {
  // Bun takes what follows a dot for the extension of a file.
  return `data:text/javascript,${encodeURIComponent(text).replaceAll(".", "%2E")}`;
}

const WORKERS_ONLY = 'import { isMainThread } from "node:worker_threads"; ';

async function withModules(
  modules: readonly (URL | string)[],
  body: (jobs: JobSystem) => Promise<void>,
): Promise<void> {
  const jobs = await JobSystem.create({ threads: 2, modules: [...modules, ODD_WORK] });
  try {
    await body(jobs);
    await stillWorks(jobs);
  } finally {
    await jobs.shutdown();
  }
}

async function exportsOf(module: string): Promise<Record<string, (...args: unknown[]) => unknown>> {
  return await import(module);
}

/** Modules in files, which are gone afterwards. */
async function withFiles(files: Record<string, string>, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "heddle-modules-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("thousands of modules, whose functions all have the same name", async () => {
  const count = bound(1000, 10_000);
  const modules = Array.from({ length: count }, (_, k) => source(`export function f() { return ${k}; }`));
  const jobs = await JobSystem.create({ threads: 1, modules });
  try {
    for (const k of [0, 1, count / 2 - 1, count - 1]) assert.equal(await jobs.run((await exportsOf(modules[k])).f), k);
  } finally {
    await jobs.shutdown();
  }
});

test("a module with a thousand functions, and the same one twice", async () => {
  const text = Array.from({ length: 1000 }, (_, k) => `export const f${k} = () => ${k};`).join("\n");
  await withModules([source(text), source(text)], async (jobs) => {
    const exports = await exportsOf(source(text));
    const results = await Promise.all(Object.values(exports).map((fn) => jobs.run(fn)));
    assert.equal(new Set(results).size, 1000);
  });
});

test("what is no function is left alone: classes, values, proxies", async () => {
  const text = `export class Class {}
    export const proxy = new Proxy(() => 7, {});
    export const { proxy: revoked, revoke } = Proxy.revocable(() => 1, {});
    revoke();
    export const number = 1, nothing = null, text = "f", symbol = Symbol("s"), object = { f() {} };
    export let empty;
    export { proxy as "a name, with a comma" };
    const named = () => 8;
    Object.defineProperty(named, "name", { value: { toString: 1 } });
    export default named;`;
  await withModules([source(text)], async (jobs) => {
    const exports = await exportsOf(source(text));
    assert.equal(await jobs.run(exports.proxy), 7);
    assert.equal(await jobs.run(exports.default), 8);
    await assert.rejects(
      async () => await jobs.run(exports.Class),
      BUN ? /Class.* without \|new\|/ : /Class.* cannot be invoked without 'new'/,
    );
    await assert.rejects(async () => await jobs.run(exports.revoked), /revoked/);
    for (const name of ["number", "nothing", "text", "symbol", "object", "empty"]) {
      assert.throws(() => jobs.run(exports[name]), UnknownJobFunctionError);
    }
  });
});

test("CommonJS: exports with getters, and a default export that is itself", async () => {
  const files = {
    "getter.cjs": "module.exports = { get f() { return f; }, g: () => 2 }; function f() { return 1; }",
    "itself.cjs": "module.exports = { f: () => 3 }; module.exports.default = module.exports;",
    "throws.cjs": 'module.exports = { get f() { throw new RangeError("a getter of exports"); } };',
  };
  await withFiles(files, async (folder) => {
    const modules = ["getter.cjs", "itself.cjs"].map((name) => join(folder, name));
    await withModules(modules, async (jobs) => {
      const [getter, itself] = await Promise.all(
        modules.map(async (module) => (await exportsOf(module)).default as unknown as Record<string, () => number>),
      );
      assert.equal(await jobs.run(getter.f), 1);
      assert.equal(await jobs.run(getter.g), 2);
      assert.equal(await jobs.run(itself.f), 3);
    });
    const throwing = JobSystem.create({ threads: 1, modules: [join(folder, "throws.cjs")] });
    await assert.rejects(throwing, /a getter of exports/);
  });
});

test("modules whose exports differ by thread are refused with the first difference", async () => {
  for (const [text, difference] of [
    ["export const a = () => 1, b = isMainThread ? () => 2 : undefined;", /number 1: none of 1\).*"b" of 2/],
    ["export const a = isMainThread ? undefined : () => 1, b = () => 2;", /number 0: "a" of 2\).*"b" of 1/],
    [
      'const f = () => 1; export { f as "a,b" }; export let a, b; if (!isMainThread) { a = () => 1; b = () => 2; }',
      /"a" of 3/,
    ],
    ["export const f = isMainThread ? () => 1 : 5;", /number 0: none of 0/],
  ] as const) {
    await assert.rejects(JobSystem.create({ threads: 2, modules: [source(WORKERS_ONLY + text)] }), (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /must not depend on the thread/);
      assert.match(error.message, difference);
      return true;
    });
  }
});

test("modules that fail on workers only make create reject, whatever they throw", async () => {
  for (const [thrown, message] of [
    ["undefined", /a module threw undefined when a worker loaded it/],
    ['Symbol("odd")', /a module threw Symbol\(odd\)/],
    ["Object.create(null)", /a module threw \(object that cannot be read\)/],
    ["() => 1", /a module threw \(\) => 1/],
    ['Object.assign(new TypeError("with a function"), { f() {} })', /with a function/],
    ['Object.defineProperty(new Error("e"), "stack", { get() { throw 1; } })', /\w/],
    ["process.exit(3)", /ended with code 3 before it was ready/],
    // Deno does not notice that nothing can come any more.
    ...(DENO ? [] : [["await new Promise(() => {})", /before it was ready/] as const]),
  ] as const) {
    const text = `${WORKERS_ONLY}export function f() {} if (!isMainThread) throw ${thrown};`;
    await assert.rejects(JobSystem.create({ threads: 2, modules: [source(text)] }), (error: unknown) => {
      assert.ok(error instanceof Error, thrown);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("odd module names", async () => {
  for (const name of ["", "work.js", "./work.js", "../work.js", "work", "C", "a b"]) {
    await assert.rejects(JobSystem.create({ threads: 1, modules: [name] }), (error: unknown) => {
      assertHelpful(error);
      const expected = name.startsWith(".")
        ? /modules\[0\] is the relative path/
        : /neither a URL nor an absolute path/;
      assert.match(error.message, expected);
      return true;
    });
  }
  for (const name of [
    "nothing:here",
    "https://example.invalid/work.js",
    "data:text/plain,odd",
    "data:text/javascript,(",
  ]) {
    await assert.rejects(JobSystem.create({ threads: 1, modules: [name] }), Error);
  }
});
