/** Addresses of modules, and importing them. */
import { createRequire } from "node:module";
import { isAbsolute } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Bundlers would look for what `createRequire` itself is called with. */
const requireFrom = createRequire;

/** The URL of a file, if `path` is an absolute path. */
export function urlOfPath(path: string): string | undefined {
  return isAbsolute(path) ? pathToFileURL(path).href : undefined;
}

/**
 * Imports a module whose address is known only now; bundlers are to leave that alone. In a sandbox that has no way to import
 * anything, as that of Jest, a file is required instead.
 *
 * @throws what the module throws when it is loaded, or the runtime when it is not there
 */
export async function importModule(url: string): Promise<object> {
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ url);
  } catch (error) {
    if (!isWithoutImport(error) || !url.startsWith("file:")) throw error;
    const path = fileURLToPath(url);
    return requireFrom(path)(path);
  }
}

function isWithoutImport(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING" || code === "ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG";
}
