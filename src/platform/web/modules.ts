/** Addresses of modules, and importing them. */

/** The URL of a file of this page's server, if `path` is an absolute path. */
export function urlOfPath(path: string): string | undefined {
  return path.startsWith("/") ? new URL(path, globalThis.location.href).href : undefined;
}

/**
 * Imports a module whose address is known only now; bundlers are to leave that alone.
 *
 * @throws what the module throws when it is loaded, or the browser when it is not there
 */
export function importModule(url: string): Promise<object> {
  return import(/* webpackIgnore: true */ /* @vite-ignore */ url);
}
