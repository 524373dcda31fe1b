/** A real server for the tests, if there is one (see scripts/with-postgres.sh), and worker processes. */
import { type ChildProcess, execFileSync, execSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { folder, WORK } from "./clusters.js";

export const URL_OF_SERVER = process.env.HEDDLE_TEST_POSTGRES;
export const NO_SERVER = URL_OF_SERVER === undefined && "no server: run the tests with scripts/with-postgres.sh";
export const BIN = fileURLToPath(new URL("../../../../dist/cli/heddle.js", import.meta.url));

let schemas = 0;

/** Options for clusters that share a schema which nobody else uses. */
export function freshSchema() {
  return { modules: [WORK], url: URL_OF_SERVER, schema: `test_${process.pid}_${++schemas}` };
}

/** Options for clusters that use the same database, one after the other: on the server, or embedded where there is none. */
export function sameDatabase(t: TestContext) {
  return URL_OF_SERVER === undefined ? { modules: [WORK], directory: folder(t)("data") } : freshSchema();
}

/** Starts `heddle worker`, and waits until it is ready. It is killed after the test. */
export async function startProcess(
  t: TestContext,
  schema: string,
  threads = 2,
  ...more: string[]
): Promise<ChildProcess> {
  const args = [...more, "worker", "--modules", fileURLToPath(WORK), "--threads", String(threads), "--schema", schema];
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...process.env, HEDDLE_URL: URL_OF_SERVER },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  for await (const [line] of on(child)) if (/is ready/.test(line)) return child;
  throw new Error("the worker ended before it was ready");
}

async function* on(child: ChildProcess): AsyncGenerator<[string]> {
  const exited = once(child, "exit").then(() => undefined);
  for (;;) {
    const data = await Promise.race([once(child.stdout!, "data"), exited]);
    if (data === undefined) return;
    yield [String(data[0])];
  }
}

/** Has the server crash and start again. */
export function restartServer(): void {
  execSync(process.env.HEDDLE_TEST_POSTGRES_RESTART!, { stdio: "ignore" });
}

/** Has the server execute statements, as its superuser. @returns what they give, a line for each row */
export function sql(statements: string): string {
  const args = [URL_OF_SERVER!, "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements];
  const env = { ...process.env, PGOPTIONS: "-c client_min_messages=warning" };
  return execFileSync("psql", args, { encoding: "utf8", env });
}
