/**
 * What jobs leave open on their thread when they end: handles of all kinds that a user's code, or a library of his, may forget.
 * None may keep a worker from stopping, nor one that is ended from being replaced.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { pbkdf2 } from "node:crypto";
import { createSocket } from "node:dgram";
import { createReadStream, unwatchFile, watch, watchFile } from "node:fs";
import { open } from "node:fs/promises";
import { Agent, createServer as createHttpServer, get } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { PerformanceObserver } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { BroadcastChannel, isMainThread, MessageChannel, parentPort, Worker } from "node:worker_threads";

/** Closes a handle, which may not be open yet. */
type Close = () => void;

const FILE = fileURLToPath(import.meta.url);
/** In milliseconds: longer than any thread lives. */
const LONG = 3_600_000;
const SHORT = 1000;
const ignore = () => {};

/** Listens on a free port of this machine, and calls `then` with it. */
function listen<S extends Server>(server: S, then: (port: number) => void): S {
  server.on("error", ignore);
  return server.listen(0, "127.0.0.1", () => then((server.address() as AddressInfo).port));
}

function onProcess(event: "exit" | "beforeExit", listener: () => void): Close {
  process.on(event, listener);
  return () => process.off(event, listener);
}

const HANDLES = {
  interval(): Close {
    const timer = setInterval(ignore, 20);
    return () => clearInterval(timer);
  },
  timeout(): Close {
    const timer = setTimeout(ignore, LONG);
    return () => clearTimeout(timer);
  },
  unrefTimeout(): Close {
    const timer = setTimeout(ignore, LONG).unref();
    return () => clearTimeout(timer);
  },
  immediates(): Close {
    let left = 1000;
    const next = () => {
      if (--left > 0) setImmediate(next);
    };
    next();
    return () => {
      left = 0;
    };
  },
  server(): Close {
    const server = listen(createServer(), ignore);
    return () => server.close();
  },
  socket(): Close {
    const server = listen(createServer(), (port) => {
      const socket = connect(port, "127.0.0.1").on("error", ignore);
      server.once("closing", () => socket.destroy());
    });
    server.on("connection", (socket) => server.once("closing", () => socket.on("error", ignore).destroy()));
    return () => {
      server.emit("closing");
      server.close();
    };
  },
  httpServer(): Close {
    const server = listen(createHttpServer(), ignore);
    return () => server.close();
  },
  /** Never answered: Node 20.20 has once aborted the process as it ended a thread that was just parsing HTTP. */
  request(): Close {
    const agent = new Agent({ keepAlive: true });
    const server = listen(createServer(), (port) => get({ host: "127.0.0.1", port, agent }).on("error", ignore));
    server.on("connection", (socket) => server.once("closing", () => socket.on("error", ignore).destroy()));
    return () => {
      server.emit("closing");
      agent.destroy();
      server.close();
    };
  },
  datagrams(): Close {
    const socket = createSocket("udp4").on("error", ignore);
    socket.bind(0, "127.0.0.1");
    return () => socket.close();
  },
  port(): Close {
    const { port1, port2 } = new MessageChannel();
    port1.on("message", ignore);
    port2.on("message", ignore);
    return () => port1.close();
  },
  broadcast(): Close {
    const channel = new BroadcastChannel("heddle soak");
    channel.onmessage = ignore;
    return () => channel.close();
  },
  parentPort(): Close {
    parentPort?.on("message", ignore);
    return () => parentPort?.off("message", ignore);
  },
  thread(): Close {
    const worker = new Worker("setInterval(() => {}, 1000)", { eval: true }).on("error", ignore);
    return () => void worker.terminate();
  },
  /** It ends with its thread, as its input does. */
  child(): Close {
    const child = spawn("cat", { stdio: ["pipe", "pipe", "ignore"] }).on("error", ignore);
    child.stdin.on("error", ignore);
    return () => child.stdin.end();
  },
  watcher(): Close {
    const watcher = watch(FILE, ignore).on("error", ignore);
    return () => watcher.close();
  },
  polledFile(): Close {
    watchFile(FILE, { interval: 50 }, ignore);
    return () => unwatchFile(FILE, ignore);
  },
  fileHandle(): Close {
    const opening = open(FILE);
    return () => void opening.then((handle) => handle.close());
  },
  readStream(): Close {
    const stream = createReadStream(FILE, { highWaterMark: 16 }).on("error", ignore);
    stream.once("readable", ignore);
    return () => stream.destroy();
  },
  /** Whoever waits until a thread has nothing to do waits for ever. */
  beforeExit(): Close {
    return onProcess("beforeExit", () => void setTimeout(ignore, 1));
  },
  exit(): Close {
    return onProcess("exit", ignore);
  },
  waitAsync(): Close {
    const word = new Int32Array(new SharedArrayBuffer(4));
    const wait = Atomics.waitAsync(word, 0, 0);
    return () => void (wait.async && Atomics.notify(word, 0));
  },
  waitAsyncInTime(): Close {
    Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SHORT);
    return ignore;
  },
  signal(): Close {
    AbortSignal.timeout(LONG).addEventListener("abort", ignore);
    AbortSignal.timeout(20).addEventListener("abort", ignore);
    return ignore;
  },
  promise(): Close {
    void (async () => await new Promise(ignore))();
    return ignore;
  },
  /** No zlib: Node aborts the process when a thread is terminated just as it creates a stream of it (docs/reliability.md). */
  hash(): Close {
    pbkdf2("soak", "salt", 2000, 32, "sha256", ignore);
    return ignore;
  },
  wasmMemory(): Close {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
    Atomics.waitAsync(new Int32Array(memory.buffer), 0, 0, SHORT);
    return ignore;
  },
  observer(): Close {
    const observer = new PerformanceObserver(ignore);
    observer.observe({ entryTypes: ["gc", "function"] });
    return () => observer.disconnect();
  },
  context(): Close {
    const storage = new AsyncLocalStorage<number>();
    storage.enterWith(1);
    return () => storage.disable();
  },
} satisfies Record<string, () => Close>;

export type HandleKind = keyof typeof HANDLES;
export const HANDLE_KINDS = Object.keys(HANDLES) as HandleKind[];

/** So many a thread has open at once, as a process may have only so many files: of these, the oldest is closed. */
const MOST_OPEN = 8;
const closes: Close[] = [];

/** Leaves a handle open on this worker. */
export function leaveOpen(kind: HandleKind): void {
  // The main thread is not replaced, and would gather them.
  if (isMainThread) return;
  if (closes.length === MOST_OPEN) closes.shift()?.();
  closes.push(HANDLES[kind]());
}
