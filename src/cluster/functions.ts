/**
 * The job functions of a cluster's modules, by names that mean the same on every machine: the name of the module's file
 * without its extension, and that of the export, such as "work.count". Each module has a queue: workers take only the
 * jobs of modules that they have.
 */
import { Functions, type JobFunction, unknownFunction } from "../api/functions.js";
import type { Source } from "../api/modules.js";
import { checkStorable } from "./storable.js";

/** A module with an address. */
export type Addressed = Source & { readonly url: string };

export interface ClusterFunction {
  /** Such as "work.count". */
  readonly name: string;
  /** The name of the export, which errors use, as on one machine. */
  readonly label: string;
  readonly queue: string;
  readonly fn: JobFunction;
}

export class ClusterFunctions {
  readonly modules: readonly Addressed[];
  /** The queue of each module. */
  readonly queues: readonly string[];
  readonly #loaded: { readonly name: string; readonly functions: Functions }[] = [];
  readonly #byFunction = new Map<unknown, ClusterFunction>();
  readonly #byName = new Map<string, ClusterFunction>();

  private constructor(modules: readonly Addressed[], queues: readonly string[]) {
    this.modules = modules;
    this.queues = queues;
  }

  /** Imports the modules. @throws TypeError for a module's name; what a module throws when it is loaded */
  static async load(modules: readonly Addressed[]): Promise<ClusterFunctions> {
    const names = modules.map(({ url }, k) => moduleName(url, k));
    for (const [k, name] of names.entries()) {
      if (names.indexOf(name) < k) {
        throw new TypeError(
          `modules[${names.indexOf(name)}] and modules[${k}] are both called "${name}"; a cluster knows modules by their file's name without extension: rename one`,
        );
      }
    }
    const all = new ClusterFunctions(modules, names.map(queueOf));
    for (const [k, module] of modules.entries()) all.#add(names[k], await Functions.load([module]));
    return all;
  }

  /** @throws UnknownJobFunctionError; TypeError for an export whose name can't be stored */
  of(fn: unknown): ClusterFunction {
    const found = this.#byFunction.get(fn) ?? this.#find(fn);
    checkStorable("the name of an export", found.label);
    return found;
  }

  /** @returns undefined if the module has no such export here */
  named(name: string): ClusterFunction | undefined {
    return this.#byName.get(name);
  }

  /** @throws UnknownJobFunctionError */
  #find(fn: unknown): ClusterFunction {
    for (const { name, functions } of this.#loaded) {
      const id = functions.idOf(fn);
      if (id === undefined) continue;
      // Of another instance of the module.
      const found = this.#byName.get(`${name}.${functions.nameOf(id)}`) as ClusterFunction;
      this.#byFunction.set(fn, found);
      return found;
    }
    const urlOf = (name: string) => this.#loaded.map(({ functions }) => functions.urlOf(name)).find((url) => url);
    throw unknownFunction(fn, { urlOf }, "Cluster.connect");
  }

  #add(module: string, functions: Functions): void {
    this.#loaded.push({ name: module, functions });
    for (const [k, label] of functions.names.entries()) {
      const fn = functions.get(k + 1) as JobFunction;
      const known: ClusterFunction = { name: `${module}.${label}`, label, queue: queueOf(module), fn };
      if (!this.#byFunction.has(fn)) this.#byFunction.set(fn, known);
      if (!this.#byName.has(known.name)) this.#byName.set(known.name, known);
    }
  }
}

/** The name of the export in a function's name. */
export function labelOf(name: string): string {
  return name.slice(name.indexOf(".") + 1);
}

/** The queue of the module in a function's name. */
export function queueOf(name: string): string {
  return `jobs/${name.split(".", 1)[0]}`;
}

function moduleName(module: string, index: number): string {
  const file = decodeURIComponent(new URL(module).pathname).split("/").at(-1) ?? "";
  const name = file.replace(/(\.[cm]?[jt]sx?)?$/, "");
  if (!/^[\w-]+$/.test(name)) {
    throw new TypeError(
      `modules[${index}] is called "${file}"; a cluster knows modules by their file's name, which must consist of letters, digits, "_" and "-", and an extension`,
    );
  }
  return name;
}
