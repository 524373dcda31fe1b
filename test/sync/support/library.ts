/** The structures under test, from the built library. */

type ChannelModule = typeof import("../../../dist/sync/channel.js");
type CountdownModule = typeof import("../../../dist/sync/countdown.js");
type DequeModule = typeof import("../../../dist/sync/deque.js");
type EventCountModule = typeof import("../../../dist/sync/event-count.js");
type MessageQueueModule = typeof import("../../../dist/sync/message-queue.js");

const SYNC = new URL("../../../src/sync/", import.meta.url);

export const channel = (await import(new URL("channel.js", SYNC).href)) as ChannelModule;
export const countdown = (await import(new URL("countdown.js", SYNC).href)) as CountdownModule;
export const deque = (await import(new URL("deque.js", SYNC).href)) as DequeModule;
export const eventCount = (await import(new URL("event-count.js", SYNC).href)) as EventCountModule;
export const messageQueue = (await import(new URL("message-queue.js", SYNC).href)) as MessageQueueModule;

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
