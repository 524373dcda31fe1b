/** PgBouncer in transaction mode before the server of the tests, where it is installed. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { until } from "../../support/hangs.js";
import { NO_SERVER } from "./postgres.js";

/** Where Debian has it is not on everybody's path. */
const PATH = `${process.env.PATH}:/usr/sbin`;
const env = { ...process.env, PATH };

export const NO_PGBOUNCER =
  NO_SERVER || (spawnSync("pgbouncer", ["--version"], { env }).status !== 0 && "pgbouncer is not installed");

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Starts it, and ends it after the test. Each transaction gets a session that knows nothing of those before. @returns its address */
export async function pgbouncer(t: TestContext, url: string): Promise<string> {
  const there = new URL(url);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "heddle-pgbouncer-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "pgbouncer.ini");
  const database = there.pathname.slice(1);
  writeFileSync(
    file,
    `[databases]
${database} = host=${there.hostname} port=${there.port} dbname=${database} user=${there.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_reset_query_always = 1
`,
  );
  // It refuses to run as root.
  chmodSync(folder, 0o755);
  const as = process.getuid?.() === 0 ? ["-u", "postgres"] : [];
  const child = spawn("pgbouncer", ["-q", ...as, file], { env, stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  await until(() => answers(port));
  return Object.assign(new URL(url), { port: String(port) }).href;
}
