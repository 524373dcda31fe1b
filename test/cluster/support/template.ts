/**
 * Embedded databases of the quick tests begin as copies of one that was initialised once, kept beside the built tests: that
 * takes a quarter of the time. In the long run each is initialised, and its code is optimised, as a user's is.
 */
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { isMainThread } from "node:worker_threads";
import type { PGlite } from "@electric-sql/pglite";
import { LONG } from "../../support/long.js";

const ROOT = new URL("../../../../", import.meta.url);

if (!LONG && isMainThread) {
  // Code that runs for seconds only is not worth compiling twice.
  setFlagsFromString("--liftoff-only");
  const { PGlite } = await import("@electric-sql/pglite");
  const { version } = JSON.parse(
    readFileSync(new URL("node_modules/@electric-sql/pglite/package.json", ROOT), "utf8"),
  ) as { version: string };
  const file = fileURLToPath(new URL(`build/pglite-${version}.tar`, ROOT));
  const create = PGlite.create.bind(PGlite) as (...given: unknown[]) => Promise<PGlite>;
  PGlite.create = (async (...given: unknown[]) => {
    const [directory] = given;
    // PGlite calls this, too, with options: it makes a database by means of another.
    if (typeof directory === "object" || isThere(`${directory}/PG_VERSION`)) return await create(...given);
    if (!isThere(file)) await write(file, await create());
    return await create(directory, { loadDataDir: new Blob([readFileSync(file)]) });
  }) as typeof PGlite.create;
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Another process may do so at the same time: the file of the first one stays. */
async function write(file: string, database: PGlite): Promise<void> {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, Buffer.from(await (await database.dumpDataDir("none")).arrayBuffer()));
  if (!isThere(file)) {
    try {
      linkSync(own, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  rmSync(own);
  await database.close();
}
