/** What tests of clusters share: where job functions are, and files that these write to. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import "./template.js";

export const WORK = new URL("./cluster-work.js", import.meta.url);

/** A folder that is removed after the test. */
export function folder(t: TestContext): (name: string) => string {
  const path = mkdtempSync(join(tmpdir(), "heddle-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return (name) => join(path, name);
}

/** The lines of a file, none where there is no file. */
export function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}
