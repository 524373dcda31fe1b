/** Collects all garbage; the process must have been started with `--expose-gc`. */
export function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error("start node with --expose-gc");
  globalThis.gc();
}
