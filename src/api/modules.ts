/** Where job functions come from: what the user gives as `modules`, checked. */
import { urlOfPath } from "../platform/host.js";
import { isInstance } from "../values/describe.js";

/**
 * A module that exports job functions: its URL or absolute path; or that and the module as the caller imports it, where this is
 * another instance than the one that heddle imports; or the module alone, where no thread has to import it.
 */
export type JobModule = URL | string | readonly [at: URL | string, module: object] | object;

/** A module, by its address, as the user has imported it, or both. */
export type Source =
  | { readonly url: string; readonly module?: object }
  | { readonly url?: undefined; readonly module: object };

const EXAMPLE = '[new URL("./work.js", import.meta.url)]';

/**
 * @param served whether modules may be given without their addresses
 * @throws TypeError naming the module, what was wrong and what to do
 */
export function checkModules(modules: unknown, served = false): readonly Source[] {
  if (!isArray(modules) || modules.length === 0) {
    throw new TypeError(
      `modules must be an array of at least one module that exports job functions, such as ${EXAMPLE}`,
    );
  }
  return Array.from(modules, (module, index) => sourceOf(module, index, served));
}

function sourceOf(given: unknown, index: number, served: boolean): Source {
  const name = `modules[${index}]`;
  if (isArray(given)) {
    if (given.length !== 2 || !isModule(given[1])) {
      throw new TypeError(
        `${name} must be a pair of a URL and the module as you import it, such as [new URL("./work.js", import.meta.url), work]`,
      );
    }
    return { url: urlOf(given[0], `${name}[0]`), module: given[1] };
  }
  if (!isModule(given) || isUrl(given)) return { url: urlOf(given, name) };
  if (served) return { module: given };
  throw new TypeError(
    `${name} is an object without an address, such as a module itself, which threads cannot be given; give [new URL("./work.js", import.meta.url), work], or the option worker with a file that calls serve(work) of heddle/worker`,
  );
}

function urlOf(given: unknown, name: string): string {
  if (isUrl(given)) return given.href;
  if (typeof given !== "string") {
    throw new TypeError(`${name} must be a URL or an absolute path, not ${given === null ? "null" : typeof given}`);
  }
  const url = urlOfPath(given);
  if (url !== undefined) return url;
  if (/^[a-z][a-z0-9+.-]+:/i.test(given)) return given;
  if (given.startsWith(".")) {
    throw new TypeError(`${name} is the relative path "${given}"; give new URL("${given}", import.meta.url) instead`);
  }
  throw new TypeError(
    `${name} is "${given}", neither a URL nor an absolute path; for a package give import.meta.resolve("${given}"), for a file new URL("./${given}", import.meta.url)`,
  );
}

/** Whether it may be a module as an import gives it, or the exports of one of CommonJS. */
function isModule(value: unknown): value is object {
  return typeof value === "object" && value !== null && !isArray(value);
}

/** Of any realm. */
function isUrl(value: unknown): value is URL {
  if (isInstance(value, URL)) return true;
  try {
    return Object.prototype.toString.call(value) === "[object URL]";
  } catch {
    return false;
  }
}

/** `Array.isArray`, but for a revoked proxy. */
function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}
