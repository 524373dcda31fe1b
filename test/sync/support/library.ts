/** The structures under test, from the built library; and mutants of them with one step weakened. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

type ChannelModule = typeof import("../../../dist/sync/channel.js");
type CountdownModule = typeof import("../../../dist/sync/countdown.js");
type DequeModule = typeof import("../../../dist/sync/deque.js");
type EventCountModule = typeof import("../../../dist/sync/event-count.js");
type GateModule = typeof import("../../../dist/sync/gate.js");
type MessageQueueModule = typeof import("../../../dist/sync/message-queue.js");

const SYNC = new URL("../../../../dist/sync/", import.meta.url);

export const channel = (await import(new URL("channel.js", SYNC).href)) as ChannelModule;
export const countdown = (await import(new URL("countdown.js", SYNC).href)) as CountdownModule;
export const deque = (await import(new URL("deque.js", SYNC).href)) as DequeModule;
export const eventCount = (await import(new URL("event-count.js", SYNC).href)) as EventCountModule;
export const gate = (await import(new URL("gate.js", SYNC).href)) as GateModule;
export const messageQueue = (await import(new URL("message-queue.js", SYNC).href)) as MessageQueueModule;

/** Loads a module of sync/ in which `from` is replaced by `to`. */
export async function mutant<T>(name: string, from: string, to: string): Promise<T> {
  const source = readFileSync(new URL(`${name}.js`, SYNC), "utf8");
  assert.equal(source.split(from).length, 2, `"${from}" must stand in ${name}.js once`);
  const folder = new URL("../../../mutants/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = new URL(`${name}-${source.indexOf(from)}.mjs`, folder);
  writeFileSync(file, source.replace(from, to).replaceAll('"./words.js"', `"${new URL("words.js", SYNC).href}"`));
  return (await import(file.href)) as T;
}

const MEMORY = new URL("../memory/", SYNC);

export const memoryLayout = (await import(
  new URL("layout.js", MEMORY).href
)) as typeof import("../../../dist/memory/layout.js");
export const memoryMemory = (await import(
  new URL("memory.js", MEMORY).href
)) as typeof import("../../../dist/memory/memory.js");
export const memoryPool = (await import(
  new URL("pool.js", MEMORY).href
)) as typeof import("../../../dist/memory/pool.js");
