/** The job functions of a system: exports of its modules, numbered alike on every thread. */
import { F_ASYNC, FUNCTION_MASK } from "../memory/layout.js";
import { UnknownJobFunctionError } from "./errors.js";

/** Stands where there is no function yet. */
const NO_FUNCTION = Symbol("no function");

export type JobFunction = (...args: never[]) => unknown;

export class Functions {
  readonly #functions: JobFunction[] = [];
  readonly #names: string[] = [];
  /** For each function its number, and F_ASYNC if it is known to give promises. */
  readonly #headers = new Map<unknown, number>();
  /** Not undefined, which somebody may ask for. */
  #lastFunction: unknown = NO_FUNCTION;
  #lastHeader = 0;

  /**
   * Imports the modules and registers what they export.
   *
   * @param loading called with each before it is imported
   * @throws what a module throws when it is loaded
   */
  static async load(modules: readonly string[], loading: (module: string) => void = () => {}): Promise<Functions> {
    const functions = new Functions();
    for (const module of modules) {
      loading(module);
      functions.#register((await import(module)) as Record<string, unknown>);
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
    if (header === undefined) throw unknownFunction(fn);
    this.#lastFunction = fn;
    this.#lastHeader = header;
    return header;
  }

  /** From now on the function counts as one that gives promises, on this thread. */
  noteAsynchronous(id: number): void {
    this.#headers.set(this.#functions[id - 1], id | F_ASYNC);
    this.#lastFunction = NO_FUNCTION;
  }

  get(id: number): (...args: unknown[]) => unknown {
    return this.#functions[id - 1] as (...args: unknown[]) => unknown;
  }

  nameOf(id: number): string {
    return this.#names[id - 1] ?? "(unknown)";
  }

  #register(exports: Record<string, unknown>): void {
    const outer = this.#registerFunctions(exports);
    // A CommonJS module's exports are a default export; these may have a "default" of their own, also themselves.
    if (typeof outer === "object" && outer !== null) this.#registerFunctions(outer as Record<string, unknown>);
  }

  /** @returns the default export */
  #registerFunctions(exports: Record<string, unknown>): unknown {
    for (const name of Object.keys(exports).sort()) {
      const value = exports[name];
      if (typeof value === "function") this.#add((name === "default" && nameIn(value)) || name, value as JobFunction);
    }
    return exports.default;
  }

  #add(name: string, fn: JobFunction): void {
    if (this.#headers.has(fn)) return;
    if (this.#functions.length === FUNCTION_MASK)
      throw new RangeError(`modules export more than ${FUNCTION_MASK} functions`);
    this.#functions.push(fn);
    // From 1: a slot without a function holds no job.
    this.#headers.set(fn, this.#functions.length | (isAsync(fn) ? F_ASYNC : 0));
    this.#names.push(name);
  }
}

/** The error for what is no job function. @param to what modules are given to */
export function unknownFunction(fn: unknown, to?: string): UnknownJobFunctionError {
  return new UnknownJobFunctionError(
    typeof fn === "function" ? `function "${nameIn(fn) || "(anonymous)"}"` : `fn (${fn === null ? "null" : typeof fn})`,
    to,
  );
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
