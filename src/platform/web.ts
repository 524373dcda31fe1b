/** A browser as all above sees it, on a page and on its workers: the bundles in `dist/browser` have this in place of host.ts. */
export * from "./web/clock.js";
export * from "./web/contexts.js";
export * from "./web/inside.js";
export * from "./web/modules.js";
export * from "./web/opened.js";
export * from "./web/park.js";
export * from "./web/ports.js";
export * from "./web/serializer.js";
export * from "./web/system.js";
export * from "./web/text.js";
export * from "./web/threads.js";
export * from "./web/types.js";
