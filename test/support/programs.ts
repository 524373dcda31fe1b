/** Programs that tests run on their own. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PATIENCE } from "./hangs.js";

/** Runs a module on its own, which fails if it hangs. It imports heddle by name, and other modules by their URLs. */
export function runModule(program: string): SpawnSyncReturns<string> {
  // Within the package, so that it finds heddle.
  const folder = mkdtempSync(fileURLToPath(new URL("../program-", import.meta.url)));
  try {
    const file = join(folder, "program.mjs");
    writeFileSync(file, program);
    return spawnSync(process.execPath, [file], { encoding: "utf8", timeout: PATIENCE });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
