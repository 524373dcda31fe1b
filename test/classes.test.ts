import assert from "node:assert/strict";
import * as crypto from "node:crypto";
import { EventEmitter } from "node:events";
import * as fs from "node:fs/promises";
import * as net from "node:net";
import { createHistogram } from "node:perf_hooks";
import test from "node:test";
import { inspect } from "node:util";
import { createContext, runInContext } from "node:vm";
import { MessageChannel } from "node:worker_threads";
import { Channel, JobFailedError, type JobSystem, PayloadTooLargeError, shared } from "heddle";
import * as work from "./support/class-work.js";
import { HANGS } from "./support/hangs.js";
import { BUN, DENO } from "./support/runtime.js";
import { withSystem } from "./support/systems.js";

const CLASS_WORK = new URL("./support/class-work.js", import.meta.url);

/** A module with one function, `answer`, that gives 42. */
const MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 10, 1, 6, 97, 110, 115, 119, 101, 114, 0, 0, 10,
  6, 1, 4, 0, 65, 42, 11,
]);

const CERTIFICATE = Buffer.from(
  "MIIBODCB66ADAgECAhRzxtTTO6pKClaU43Gynw5SQ2yjdzAFBgMrZXAwETEPMA0GA1UEAwwGaGVkZGxlMCAXDTI2MTEyNjA4MjE1N1oYDzIxMjYxMTAyMDgyMTU3WjARMQ8wDQYDVQQDDAZoZWRkbGUwKjAFBgMrZXADIQD/2jCVERT6yS6hWIjV406GcPoB5lVjqSGMRCFAykc7S6NTMFEwHQYDVR0OBBYEFCyXRH5IpjwHMxIEZphWV7ufegO9MB8GA1UdIwQYMBaAFCyXRH5IpjwHMxIEZphWV7ufegO9MA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EARgY0UKvP+dZcmtI82dvs0RpoJ8fyiwy6LqVBomW/E5NK2QnWS35Omo7Ck/lTKjFUx2b6alAy+CVR7KRw8dU9AQ==",
  "base64",
);

/** Arguments for the constructors of globals that need some. */
const ARGUMENTS: Record<string, readonly unknown[]> = {
  Blob: [["text"]],
  BroadcastChannel: ["heddle"],
  ByteLengthQueuingStrategy: [{ highWaterMark: 1 }],
  CloseEvent: ["close"],
  CompressionStream: ["gzip"],
  CountQueuingStrategy: [{ highWaterMark: 1 }],
  CustomEvent: ["custom"],
  DataView: [new ArrayBuffer(8)],
  DecompressionStream: ["gzip"],
  ErrorEvent: ["error"],
  Event: ["event"],
  File: [["text"], "name"],
  FinalizationRegistry: [() => {}],
  MessageEvent: ["message"],
  PerformanceMark: ["mark"],
  Promise: [() => {}],
  Proxy: [{}, {}],
  Request: ["http://localhost/"],
  StorageEvent: ["storage"],
  SuppressedError: [1, 2, "message"],
  URL: ["http://localhost/?a=b"],
  URLPattern: [{ pathname: "/" }],
  URLSearchParams: ["a=b"],
  WeakRef: [{}],
};
/** They open connections, or make what cannot be told from nothing. */
const NOT_MADE = ["EventSource", "WebSocket", "Function", "Worker"];

function globalInstances(): Map<string, unknown> {
  const instances = new Map<string, unknown>();
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    if (!/^[A-Z]/.test(name) || NOT_MADE.includes(name)) continue;
    const made = (globalThis as Record<string, unknown>)[name];
    if (typeof made !== "function") continue;
    try {
      instances.set(name, Reflect.construct(made, ARGUMENTS[name] ?? []));
    } catch {
      // Only the runtime makes such.
    }
  }
  return instances;
}

async function otherInstances(): Promise<Map<string, unknown>> {
  const module = new WebAssembly.Module(MODULE);
  const { port1, port2 } = new MessageChannel();
  port2.unref();
  const aes = { name: "AES-GCM", length: 128 };
  return new Map<string, unknown>([
    ["secret key", crypto.createSecretKey(new Uint8Array(16))],
    ["private key", crypto.generateKeyPairSync("ed25519").privateKey],
    ["public key", crypto.generateKeyPairSync("ed25519").publicKey],
    ["crypto key", await crypto.subtle.generateKey(aes, true, ["encrypt"])],
    ["certificate", new crypto.X509Certificate(CERTIFICATE)],
    ["block list", new net.BlockList()],
    ["socket address", new net.SocketAddress({})],
    ["histogram", createHistogram()],
    ["port", port1],
    ["abort signal", new AbortController().signal],
    ["event emitter", new EventEmitter()],
    ["module", module],
    ["instance", new WebAssembly.Instance(module)],
    ["memory", new WebAssembly.Memory({ initial: 1 })],
    ["shared memory", new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })],
    ["table", new WebAssembly.Table({ initial: 1, element: "anyfunc" })],
    ["global", new WebAssembly.Global({ value: "i32" }, 1)],
    ["number format", new Intl.NumberFormat("en")],
    ["system error", await fs.readFile("/no/such/file").catch((error: unknown) => error)],
    [
      "arguments",
      (function () {
        // biome-ignore lint/complexity/noArguments: it is what is to be sent.
        return arguments;
      })(),
    ],
    ["generator", (function* () {})()],
    ["fake URL", Object.create(URL.prototype)],
  ]);
}

const PLACES: readonly [string, (value: unknown) => unknown, (whole: never) => unknown][] = [
  ["by itself", (value) => value, (value) => value],
  ["in an object", (value) => ({ a: 1, value }), ({ value }: { value: unknown }) => value],
  ["in a list", (value) => [[value], 2], ([[value]]: [[unknown], number]) => value],
  ["in a map", (value) => new Map([["key", value]]), (map: Map<string, unknown>) => map.get("key")],
  [
    "in an instance",
    (value) =>
      new (class {
        own = value;
      })(),
    ({ own }: { own: unknown }) => own,
  ],
  [
    "behind a getter",
    (value) => ({
      get got() {
        return value;
      },
    }),
    ({ got }: { got: unknown }) => got,
  ],
];

/** What can be seen of a value; not what Bun hides in errors, which only its own copies have. */
function looks(value: unknown): string {
  const prototype = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  return `${prototype?.constructor?.name} ${inspect(value, { showHidden: !BUN })}`.replaceAll(/<[\da-f ]+>/g, "");
}

/** Classes of which a copy with nothing in it is a faithful one. */
const NOTHING_IN_IT = ["Object", "fake URL"];

/** Of modules of Deno's, which the other thread may not have loaded. */
const OF_MODULES_IN_DENO = ["secret key", "private key", "public key", "histogram"];
/** Classes of Deno's that cannot be told from the user's: their objects arrive as plain ones. */
const PLAIN_IN_DENO = ["certificate", "block list"];

async function checkTable(jobs: JobSystem, instances: Map<string, unknown>): Promise<void> {
  for (const [name, value] of instances) {
    if (DENO && PLAIN_IN_DENO.includes(name)) continue;
    for (const [place, put, take] of PLACES) {
      const what = `${name} ${place}`;
      let host: unknown;
      try {
        host = take(structuredClone(put(value)) as never);
      } catch {
        host = undefined;
      }
      let arrived: unknown;
      try {
        arrived = take((await jobs.run(work.echo, put(value))) as never);
      } catch (error) {
        assert.ok(error instanceof DOMException, `${what}: ${String(error)}`);
        assert.equal(error.name, "DataCloneError");
        assert.match(error.message, /^job "echo": argument 0/, what);
        if (place === "in an object") assert.match(error.message, /argument 0 at \.value/, what);
        const is = typeof host === "object" && host !== null ? Object.getPrototypeOf(host) : undefined;
        const isOther = DENO ? is !== Object.getPrototypeOf(value) : is === Object.prototype;
        const mayBeRefused =
          host === undefined ||
          isOther ||
          name === "SharedArrayBuffer" ||
          name === "File" ||
          (DENO && OF_MODULES_IN_DENO.includes(name));
        assert.ok(mayBeRefused, `${what} is refused: ${error.message}`);
        continue;
      }
      const expected = host ?? (name === "DOMException" ? value : undefined);
      // Node 20 loses what it is.
      if (name === "DOMException") assert.equal((arrived as DOMException).name, (value as DOMException).name);
      else assert.equal(looks(arrived), looks(expected), what);
      const isEmpty =
        Object.getPrototypeOf(arrived) === Object.prototype && Object.keys(arrived as object).length === 0;
      if (isEmpty) assert.ok(NOTHING_IN_IT.includes(name), `${what} arrives as {}`);
    }
  }
}

test(
  "instances of every class arrive as the host itself copies them, or are refused with their place",
  HANGS,
  async () => {
    await withSystem(
      { threads: 1 },
      async (jobs) => {
        const globals = globalInstances();
        assert.ok(globals.has("Blob") && globals.has("URL") && globals.has("Headers") && globals.has("Map"));
        await checkTable(jobs, globals);
        const others = await otherInstances();
        await checkTable(jobs, others);
        (others.get("port") as MessagePort).close();
        (globals.get("BroadcastChannel") as BroadcastChannel).close();
      },
      CLASS_WORK,
    );
  },
);

test("host objects and modules go to jobs and back by reference, also inside others", HANGS, async () => {
  await withSystem(
    { threads: 2 },
    async (jobs) => {
      const key = crypto.createSecretKey(new Uint8Array(16));
      if (DENO) assert.throws(() => jobs.run(work.bytesOfKey, key), /a SecretKeyObject, .* pass key\.export\(\)/);
      else {
        assert.equal(await jobs.run(work.bytesOfKey, key), 16);
        const made = await jobs.run(work.makeKey, new Uint8Array(24));
        assert.equal(made.key.export().length, 24);
      }
      assert.equal(await jobs.run(work.textOf, { blob: new Blob(["text"]) }), "text");
      const module = new WebAssembly.Module(MODULE);
      for (let k = 0; k < 5; k++) assert.equal(await jobs.run(work.answerOf, module), 42);
      assert.equal(await jobs.run(work.answerIn, { modules: [module, module] }), 42);
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
      await jobs.run(work.writeInto, { memory });
      assert.equal(new Uint8Array(memory.buffer)[0], 7);
      await assert.rejects(
        async () => await jobs.run(work.makeUrl),
        (error: unknown) => error instanceof JobFailedError && /the result at \.url .*a URL.*href/.test(error.message),
      );
    },
    CLASS_WORK,
  );
});

test("a channel refuses host objects by name", () => {
  const channel = new Channel<unknown>({ capacity: 4, maxBytes: 4096 });
  for (const [value, message] of [
    [{ deep: [new Blob(["text"])] }, /value at \.deep\[0\] cannot be sent.*a Blob.*arrayBuffer/],
    [new URL("http://localhost/"), /value cannot be sent.*a URL.*href/],
    [new WebAssembly.Module(MODULE), /a WebAssembly\.Module/],
  ] as const) {
    assert.throws(() => channel.trySend(value), { name: "DataCloneError", message });
  }
  assert.ok(channel.trySend(new DOMException("stop", "AbortError")));
  const exception = channel.tryReceive()?.value as DOMException;
  assert.ok(exception instanceof DOMException);
  assert.equal(exception.code, 20);
});

test("memory of another realm is shared, not copied", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const realm = createContext({});
      const buffer = new SharedArrayBuffer(16);
      const views: { [index: number]: number }[] = runInContext(
        `(buffer) => [new Int32Array(buffer, 0, 1), new Float64Array(new SharedArrayBuffer(8)), new Uint8Array(buffer, 8)]`,
        realm,
      )(buffer);
      await jobs.run(work.write, ...views);
      for (const view of views) assert.equal(view[0], 7);
      const own = runInContext(`new SharedArrayBuffer(4)`, realm);
      assert.equal(Object.prototype.toString.call(await jobs.run(work.echo, own)), "[object SharedArrayBuffer]");
      const Floats: typeof Float32Array = runInContext("Float32Array", realm);
      const floats = shared(Floats, [1, 2]);
      await jobs.run(work.write, floats);
      assert.equal(floats[0], 7);
      const values = runInContext(`({ map: new Map([[1, new Set([2])]]), list: [1, , 3], when: new Date(5) })`, realm);
      assert.equal(inspect(await jobs.run(work.echo, values)), inspect(structuredClone(values)));
      assert.throws(() => shared(runInContext("Map", realm), 1), /type must be a typed array constructor/);
    },
    CLASS_WORK,
  );
});

test("buffers and views keep what structuredClone keeps of them", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const growable = new SharedArrayBuffer(8, { maxByteLength: 64 });
      assert.deepEqual(await jobs.run(work.lengthsOf, new Uint8Array(growable, 4), 16), [4, 12]);
      assert.deepEqual(await jobs.run(work.lengthsOf, new Uint8Array(growable, 4, 12), 24), [12, 12]);
      const resizable = () => new ArrayBuffer(8, { maxByteLength: 64 });
      assert.deepEqual(await jobs.run(work.lengthsOf, new Uint8Array(resizable(), 4), 16), [4, 12]);
      assert.deepEqual(await jobs.run(work.lengthsOf, new Uint8Array(resizable(), 4, 4), 16), [4, 4]);
      const nested = await jobs.run(work.echo, { view: new DataView(growable), buffer: resizable() });
      const before = nested.view.byteLength;
      (nested.view.buffer as SharedArrayBuffer).grow(64);
      assert.deepEqual([before, nested.view.byteLength], [24, 64]);
      assert.equal(nested.buffer.maxByteLength, 64);
      assert.ok(nested.buffer.resizable);

      const buffer = new ArrayBuffer(16);
      const several = await jobs.run(work.echo, {
        bytes: new Uint8Array(buffer, 0, 4),
        last: [new Float64Array(buffer, 8), new Map([["whole", buffer]])],
      });
      const [last, map] = several.last as [Float64Array, Map<string, ArrayBuffer>];
      assert.equal(several.bytes.buffer, last.buffer);
      assert.equal(map.get("whole"), last.buffer);
      assert.deepEqual([several.bytes.byteOffset, last.byteOffset, last.length], [0, 8, 1]);
      // One alone, or one of Node's small buffers, takes only its own bytes along.
      assert.equal((await jobs.run(work.echo, [new Uint8Array(buffer, 4, 4)]))[0].buffer.byteLength, 4);
      const [one, two] = await jobs.run(work.echo, [Buffer.from("one"), Buffer.from("two")]);
      assert.deepEqual([one.buffer.byteLength, two.buffer.byteLength], [3, 3]);
      const { Float16Array } = globalThis as { Float16Array?: Uint16ArrayConstructor };
      if (Float16Array === undefined) return;
      const halves = await jobs.run(work.echo, [Float16Array.of(1, 2), shared(Float16Array, [3])]);
      assert.equal(inspect(halves), inspect([Float16Array.of(1, 2), new Float16Array(halves[1].buffer)]));
    },
    CLASS_WORK,
  );
});

test("buffers that are too large are refused as that, wherever they are", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    (jobs) => {
      let buffer: ArrayBuffer;
      try {
        buffer = new ArrayBuffer(2 ** 32);
      } catch {
        return;
      }
      for (const value of [buffer, { buffer }, [new Uint8Array(buffer, 0, 8), { buffer }], new Map([[1, buffer]])]) {
        assert.throws(
          () => jobs.run(work.echo, value),
          (error: unknown) => error instanceof PayloadTooLargeError && error.bytes === 2 ** 32,
        );
      }
      const channel = new Channel<unknown>({ capacity: 1, maxBytes: 64 });
      assert.throws(() => channel.trySend({ buffer }), PayloadTooLargeError);
    },
    CLASS_WORK,
  );
});

test("each getter is called once, and what it gives counts", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      let calls = 0;
      const counting = {
        first: new WebAssembly.Module(MODULE),
        get value() {
          calls++;
          return { calls, same: counting };
        },
      };
      const back = (await jobs.run(work.echo, counting)) as typeof counting;
      assert.equal(calls, 1);
      assert.deepEqual([back.value.calls, back.value.same === back], [1, true]);
      assert.ok(back.first instanceof WebAssembly.Module);
      class Secret {
        #secret = 1;
        shown = 2;
        get sum() {
          return this.#secret + this.shown;
        }
      }
      assert.deepEqual(await jobs.run(work.echo, new Secret() as object), { shown: 2 });
    },
    CLASS_WORK,
  );
});

test("thrown: DOMExceptions, errors of other realms, and details with parts that cannot be cloned", HANGS, async () => {
  await withSystem(
    { threads: 1 },
    async (jobs) => {
      const thrownBy = async (fn: () => never): Promise<unknown> =>
        await jobs.run(fn).then(undefined, (error: unknown) => (error as JobFailedError).cause);
      const exception = (await thrownBy(work.throwException)) as DOMException;
      assert.ok(exception instanceof DOMException);
      assert.deepEqual([exception.name, exception.message, exception.code], ["AbortError", "told to stop", 20]);
      // Those of Bun have no stack.
      if (!BUN) assert.match(exception.stack ?? "", /throwException/);
      const elsewhere = (await thrownBy(work.throwOfOtherRealm)) as RangeError & { code: string };
      assert.ok(elsewhere instanceof RangeError && elsewhere.cause instanceof TypeError);
      assert.deepEqual([elsewhere.message, elsewhere.code], ["from elsewhere", "E_ELSEWHERE"]);
      const { detail } = (await thrownBy(work.throwInParts)) as Error & { detail: Record<string, unknown> };
      assert.deepEqual(detail.kept, [1, { two: 2 }]);
      assert.deepEqual(detail.map, new Map([["a", 1n]]));
      assert.match(String(detail.lost), /^lost\(\)/);
      const [inner, lost] = detail.list as [Error, string];
      assert.equal(inner.message, "in it");
      assert.match(lost, /=>/);
    },
    CLASS_WORK,
  );
});
