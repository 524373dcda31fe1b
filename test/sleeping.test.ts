/** What was due while a worker slept has come before its next job. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import test from "node:test";
import { BroadcastChannel } from "node:worker_threads";
import { shared } from "heddle";
import * as computing from "./support/computing-work.js";
import { HANGS, settled, until } from "./support/hangs.js";
import * as work from "./support/sleeping-work.js";
import { withSystem } from "./support/systems.js";

const MODULE = new URL("./support/sleeping-work.js", import.meta.url);
const COMPUTING = new URL("./support/computing-work.js", import.meta.url);
const ONE = { threads: 1 };

for (const ask of [work.ask, work.askByFetch]) {
  test(
    `${ask.name}: a connection that the server has closed while the worker slept is not used again`,
    HANGS,
    async () => {
      const open = new Set<Socket>();
      let connections = 0;
      const server = createServer((_, response) => response.end("hello"));
      server.on("connection", (socket) => {
        connections++;
        open.add(socket);
        socket.on("close", () => open.delete(socket));
      });
      // It keeps nothing alive, should the test fail.
      await new Promise<void>((resolve) => server.unref().listen(0, "127.0.0.1", resolve));
      const { port } = server.address() as AddressInfo;
      await withSystem(
        ONE,
        async (jobs) => {
          for (let round = 1; round <= 5; round++) {
            assert.equal(await jobs.run(ask, port), "hello");
            assert.equal(connections, round);
            // The server closes the connection; it is gone when the worker has closed it too.
            for (const socket of open) socket.end();
            await until(() => open.size === 0);
          }
        },
        MODULE,
      );
      server.close();
    },
  );
}

test("a timer that was unref'd ticks while its worker has nothing to do", HANGS, async () => {
  await withSystem(
    ONE,
    async (jobs) => {
      const ticks = shared(Int32Array, 1);
      await jobs.run(work.tick, ticks);
      await until(() => Atomics.load(ticks, 0) > 20);
    },
    MODULE,
  );
});

test("a port, and a promise of waitAsync, are served while their worker has nothing to do", HANGS, async () => {
  await withSystem(
    { threads: 2 },
    async (jobs) => {
      const heard = shared(Int32Array, 1);
      const cells = shared(Int32Array, 2);
      await jobs.run(work.hear, heard);
      await until(() => Atomics.load(heard, 0) === 1);
      await jobs.run(work.follow, cells);
      Atomics.store(cells, 0, 1);
      Atomics.notify(cells, 0);
      await until(() => Atomics.load(cells, 1) === 1);
    },
    MODULE,
  );
});

test("a broadcast is answered by a worker that has nothing to do", HANGS, async () => {
  await withSystem(
    ONE,
    async (jobs) => {
      const name = `heddle ${process.pid}`;
      const channel = new BroadcastChannel(name);
      const answered = new Promise((resolve) => {
        channel.onmessage = resolve;
      });
      await jobs.run(work.answer, name);
      channel.postMessage("question");
      await settled(answered, "the answer");
      channel.close();
    },
    MODULE,
  );
});

test("a worker that only computes blocks while it has nothing to do", HANGS, async () => {
  await withSystem(
    ONE,
    async (jobs) => {
      const before = await jobs.run(computing.idle);
      for (let k = 0; k < 20; k++) {
        assert.equal(await jobs.run(computing.compute), 3);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      assert.equal(await jobs.run(computing.idle), before);
    },
    COMPUTING,
  );
});

for (const both of [false, true]) {
  test(
    `jobs do not wait for a worker whose asynchronous code computes while another has ${both ? "only suspended jobs" : "nothing to do"}`,
    HANGS,
    async () => {
      await withSystem(
        { threads: 2 },
        async (jobs) => {
          // Each time the two workers may have changed places, and whose turn it is to be woken.
          for (let round = 0; round < 6; round++) {
            const cells = shared(Int32Array, 3);
            const computing = jobs.run(work.computeUntil, cells);
            // It waits in the first worker's event loop, the other one sleeps in its own.
            const suspended = both ? jobs.run(work.suspendUntil, cells) : undefined;
            await until(() => Atomics.load(cells, 0) === 1);
            for (let k = 0; k <= round % 2; k++) await jobs.run(work.count, cells);
            Atomics.store(cells, 1, 1);
            assert.equal(await computing, true, "the other worker has executed the job meanwhile");
            await suspended;
          }
        },
        MODULE,
      );
    },
  );
}
