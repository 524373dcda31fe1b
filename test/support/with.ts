/** What a job is given before it is scheduled: its priority, and where it runs. */
import type { Job } from "heddle";

export interface Placement {
  readonly priority?: "high" | "normal" | "low";
  readonly on?: "main";
}

const layout: typeof import("../../dist/memory/layout.js") = await import(
  new URL("../../../dist/memory/layout.js", import.meta.url).href
);
const FLAGS = { high: layout.F_HIGH, normal: 0, low: layout.F_LOW };

/** A job's internals. */
interface Internals {
  readonly _engine: { readonly context: { readonly memory: { readonly i32: Int32Array } } };
  readonly _slot: number;
}

export function withPlacement<J extends Job<unknown>>(job: J, { priority = "normal", on }: Placement): J {
  const { _engine, _slot } = job as unknown as Internals;
  const { i32 } = _engine.context.memory;
  const had = (priority === "normal" ? 0 : layout.HAD_PRIORITY) | (on === "main" ? layout.HAD_MAIN : 0);
  Atomics.or(i32, layout.H_PRIORITIES, had);
  i32[(_slot << layout.SLOT_LOG) + layout.S_FUNCTION] |= FLAGS[priority] | (on === "main" ? layout.F_MAIN : 0);
  return job;
}
