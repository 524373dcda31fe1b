/**
 * The runtime that heddle runs on, as all above sees it: here Node, and Deno and Bun, which do as Node does. The build for browsers
 * has web.ts in its place, which gives the same names.
 */
export * from "./node/clock.js";
export * from "./node/contexts.js";
export * from "./node/modules.js";
export * from "./node/opened.js";
export * from "./node/park.js";
export * from "./node/ports.js";
export * from "./node/runtime.js";
export * from "./node/serializer.js";
export * from "./node/system.js";
export * from "./node/text.js";
export * from "./node/threads.js";
export * from "./node/types.js";
