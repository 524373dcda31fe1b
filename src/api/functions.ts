/** The job functions of a system: exports of its modules, numbered alike on every thread. */
import { F_ASYNC, FUNCTION_MASK } from "../memory/layout.js";
import { importModule } from "../platform/host.js";
import { UnknownJobFunctionError } from "./errors.js";
import type { Source } from "./modules.js";

/** Stands where there is no function yet. */
const NO_FUNCTION = Symbol("no function");

export type JobFunction = (...args: never[]) => unknown;

export class Functions {
  readonly #functions: JobFunction[] = [];
  readonly #names: string[] = [];
  /** For each function the address of its module, if that has any. */
  readonly #urls: (string | undefined)[] = [];
  /** For each function its number, and F_ASYNC if it is known to give promises. */
  readonly #headers = new Map<unknown, number>();
  /** By address: the modules as this thread has them. */
  readonly #modules = new Map<string, object>();
  /** Not undefined, which somebody may ask for. */
  #lastFunction: unknown = NO_FUNCTION;
  #lastHeader = 0;

  /**
   * Imports the modules and registers what they export.
   *
   * @param loading called with each before it is imported
   * @throws what a module throws when it is loaded
   */
  static async load(sources: readonly Source[], loading: (url: string) => void = () => {}): Promise<Functions> {
    const functions = new Functions();
    for (const source of sources) {
      if (source.url !== undefined) loading(source.url);
      functions.#register(source, await imported(source));
    }
    return functions;
  }

  /** The names in order, to compare what two threads have loaded. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** The number of `fn`, and flags of its jobs. @throws UnknownJobFunctionError */
  headerOf(fn: unknown): number {
    if (fn === this.#lastFunction) return this.#lastHeader;
    const header = this.#headers.get(fn);
    if (header === undefined) throw unknownFunction(fn, this);
    this.#lastFunction = fn;
    this.#lastHeader = header;
    return header;
  }

  /** The number of `fn`, if it is known. */
  idOf(fn: unknown): number | undefined {
    const header = this.#headers.get(fn);
    return header === undefined ? undefined : header & FUNCTION_MASK;
  }

  /** From now on the function counts as one that gives promises, on this thread. */
  noteAsynchronous(id: number): void {
    for (const [fn, header] of this.#headers) if ((header & FUNCTION_MASK) === id) this.#headers.set(fn, id | F_ASYNC);
    this.#lastFunction = NO_FUNCTION;
  }

  get(id: number): (...args: unknown[]) => unknown {
    return this.#functions[id - 1] as (...args: unknown[]) => unknown;
  }

  nameOf(id: number): string {
    return this.#names[id - 1] ?? "(unknown)";
  }

  /** The module at an address, as this thread has it. */
  moduleAt(url: string): object | undefined {
    return this.#modules.get(url);
  }

  /** The addresses of the modules. */
  get urls(): readonly string[] {
    return [...this.#modules.keys()];
  }

  /** The address of a module that exports a function of this name, if there is any. */
  urlOf(name: string): string | undefined {
    return this.#urls[this.#names.indexOf(name)];
  }

  /** @param own the module as heddle has imported it, whose functions all threads have in the same order */
  #register(source: Source, own: object): void {
    const { url, module = own } = source;
    const ids = new Map<string, number>();
    for (const [name, fn] of functionsIn(own)) ids.set(name, this.#add(name, fn, url));
    // Jobs that run on this thread are to call the user's own, which may be of another instance.
    if (module !== own) for (const [name, fn] of functionsIn(module)) this.#replace(ids.get(name), fn);
    if (url !== undefined) this.#modules.set(url, module);
  }

  /** @returns its number */
  #add(name: string, fn: JobFunction, url: string | undefined): number {
    const known = this.#headers.get(fn);
    if (known !== undefined) return known & FUNCTION_MASK;
    if (this.#functions.length === FUNCTION_MASK)
      throw new RangeError(`modules export more than ${FUNCTION_MASK} functions`);
    this.#functions.push(fn);
    this.#names.push(name);
    this.#urls.push(url);
    // From 1: a slot without a function holds no job.
    const id = this.#functions.length;
    this.#headers.set(fn, id | (isAsync(fn) ? F_ASYNC : 0));
    return id;
  }

  #replace(id: number | undefined, fn: JobFunction): void {
    if (id === undefined || this.#headers.has(fn)) return;
    this.#headers.set(fn, this.#headers.get(this.#functions[id - 1]) as number);
    this.#functions[id - 1] = fn;
  }
}

/** A module as heddle imports it; as the user has imported it, where this thread cannot do so by itself. */
async function imported({ url, module }: Source): Promise<object> {
  if (url === undefined) return module;
  try {
    return await importModule(url);
  } catch (error) {
    if (module === undefined) throw error;
    return module;
  }
}

/** The functions that a module exports, by their names. */
function functionsIn(module: object): readonly (readonly [name: string, fn: JobFunction])[] {
  const exports = module as Record<string, unknown>;
  const { default: outer } = exports;
  // A CommonJS module's exports are a default export; these may have a "default" of their own, also themselves.
  const inner = typeof outer === "object" && outer !== null ? ownFunctionsIn(outer as Record<string, unknown>) : [];
  return [...ownFunctionsIn(exports), ...inner];
}

function ownFunctionsIn(exports: Record<string, unknown>): (readonly [name: string, fn: JobFunction])[] {
  return Object.keys(exports)
    .sort()
    .flatMap((name) => {
      const value = exports[name];
      if (typeof value !== "function") return [];
      return [[(name === "default" && nameIn(value)) || name, value as JobFunction] as const];
    });
}

/**
 * The error for what is no job function.
 *
 * @param known the functions that are
 * @param to what modules are given to
 */
export function unknownFunction(
  fn: unknown,
  known: { urlOf(name: string): string | undefined },
  to?: string,
): UnknownJobFunctionError {
  if (typeof fn !== "function") return new UnknownJobFunctionError(`fn (${fn === null ? "null" : typeof fn})`, to);
  const name = nameIn(fn);
  return new UnknownJobFunctionError(`function "${name || "(anonymous)"}"`, to, known.urlOf(name));
}

/** Whether a function is declared async, as far as it tells. */
function isAsync(fn: JobFunction): boolean {
  try {
    return Object.prototype.toString.call(fn) === "[object AsyncFunction]";
  } catch {
    return false;
  }
}

/** The name of a function that may be a proxy, or have a `name` of its own. @returns "" if it has none that is text */
function nameIn(fn: { readonly name?: unknown }): string {
  try {
    return typeof fn.name === "string" ? fn.name : "";
  } catch {
    return "";
  }
}
