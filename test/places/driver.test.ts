/** What runs the places ends whatever happens, and says what has. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { HANGS, until } from "../support/hangs.js";
import { environment, install } from "./install.js";
import { run } from "./run.js";

const temp = mkdtempSync(join(tmpdir(), "heddle-places-"));
after(() => rmSync(temp, { recursive: true }));

test("a program that cannot be started is told", HANGS, async () => {
  await assert.rejects(run(["no-such-program", "now"], temp, environment), {
    message: "no-such-program now cannot be started: spawn no-such-program ENOENT",
  });
});

test("a program that fails is told with what it printed", HANGS, async () => {
  await assert.rejects(
    run(["node", "-e", "console.log('out'); console.error('bad'); process.exit(3)"], temp, environment),
    ({ message }: Error) => /^node -e .*: 3\n/.test(message) && /out\n/.test(message) && /bad\n/.test(message),
  );
});

/** Whether a program listens at a port of this machine. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

test("a program that does not end is killed with what it has started", HANGS, async () => {
  const listening = `const server = require("node:net").createServer();
    server.listen(0, "127.0.0.1", () => console.log("port", server.address().port));`;
  const program = `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(listening)}], { stdio: "inherit" });
    setInterval(() => {}, 1000);`;
  const error = await run(["node", "-e", program], temp, environment, 5000).catch((error: Error) => error.message);
  const [, port] = /: not at its end after 5 s\nport (\d+)/.exec(error) ?? [];
  assert.ok(port, error);
  await until(async () => !(await listens(Number(port))));
});

test("a registry that cannot be reached is told as such", HANGS, async () => {
  const nowhere = { npm_config_registry: "http://127.0.0.1:9", npm_config_fetch_retries: "0" };
  const place = { install: [["npm", "install", "--prefer-online", "mocha@1.0.0"]], run: [], says: "" };
  await assert.rejects(
    install("a place", temp, place, { ...environment, ...nowhere, npm_config_cache: join(temp, "cache") }),
    /^Error: a place was NOT TRIED, as the package registry cannot be reached \(ECONNREFUSED\): npm install/,
  );
});
