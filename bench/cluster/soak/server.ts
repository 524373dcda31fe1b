/** The server that the soak runs against. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../../../scripts/with-postgres.sh", import.meta.url));
const INSTALLED = "/usr/lib/postgresql";

/** Runs this program again, with a server of its own. @returns its exit code @throws Error where PostgreSQL is not installed */
export async function runWithServer(): Promise<number> {
  if (!isInstalled()) {
    throw new Error(
      `this needs a PostgreSQL server: install its programs (there are none in ${INSTALLED}, and no pg_ctl in PATH), or set HEDDLE_TEST_POSTGRES to the address of a server`,
    );
  }
  // A group of its own, which gets a signal as a whole: the script does not pass it on.
  const child = spawn("bash", [SCRIPT, process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    detached: true,
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.kill(-child.pid!, signal));
  const [status] = (await once(child, "exit")) as [number | null];
  return status ?? 1;
}

function isInstalled(): boolean {
  if (existsSync(INSTALLED) && readdirSync(INSTALLED).length > 0) return true;
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, "pg_ctl")));
}
