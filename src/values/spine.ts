/**
 * A copy of a value in which host objects, which the serialiser cannot write, are replaced by views, which it hands to us.
 * Whatever the serialiser has a way of its own for stays as it is; each getter is called once, and what it gave is kept.
 */
import { types } from "../platform/host.js";
import { HOST, isCarried, isDOMException, natureOf, OF_LANGUAGE, reasonAgainstHost } from "./natures.js";
import { isAtomic } from "./survey.js";

export class Spine {
  /** The host object that each of these views stands for. */
  readonly hosts = new Map<object, object>();
  readonly #copies = new Map<object, object>();
  readonly #ports: boolean;

  /** @param ports whether host objects may be carried by message ports */
  constructor(ports: boolean) {
    this.#ports = ports;
  }

  /** @throws DataCloneError (a DOMException) for a host object that cannot be sent */
  copy(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    const before = this.#copies.get(value);
    if (before !== undefined) return before;
    if (types.isProxy(value) || ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return value;
    if (natureOf(Object.getPrototypeOf(value)) === HOST) return this.#standIn(value);
    if (isAtomic(value)) return value;
    if (types.isMap(value)) {
      const map = this.#noted(value, new Map<unknown, unknown>());
      Map.prototype.forEach.call(value, (part, key) => map.set(this.copy(key), this.copy(part)));
      return map;
    }
    if (types.isSet(value)) {
      const set = this.#noted(value, new Set<unknown>());
      Set.prototype.forEach.call(value, (part) => set.add(this.copy(part)));
      return set;
    }
    if (types.isNativeError(value)) return this.#error(value);
    if (Array.isArray(value)) return this.#withProperties(value, new Array(value.length));
    return isOfItsOwn(value) ? value : this.#withProperties(value, {});
  }

  #noted<T extends object>(value: object, copy: T): T {
    this.#copies.set(value, copy);
    return copy;
  }

  #withProperties(value: object, empty: object): object {
    const copy = this.#noted(value, empty);
    for (const key of Object.keys(value)) {
      // A getter may have removed it.
      if (Object.hasOwn(value, key)) define(copy, key, this.copy((value as Record<string, unknown>)[key]));
    }
    return copy;
  }

  /** Of errors the serialiser takes these properties, however they are defined. */
  #error(value: Error): Error {
    const copy = this.#noted(value, new Error());
    define(copy, "name", value.name);
    define(copy, "stack", value.stack);
    if (Object.hasOwn(value, "message")) define(copy, "message", value.message);
    if (Object.hasOwn(value, "cause")) define(copy, "cause", this.copy(value.cause));
    return copy;
  }

  #standIn(host: object): object {
    if (!isDOMException(host) && !(this.#ports && isCarried(host))) {
      throw new DOMException(reasonAgainstHost(host), "DataCloneError");
    }
    const view = this.#noted(host, new DataView(new ArrayBuffer(0)));
    this.hosts.set(view, host);
    return view;
  }
}

/** Whether the serialiser does not take it for an object with properties, or it has none, as a promise or an iterator. */
function isOfItsOwn(value: object): boolean {
  if (natureOf(Object.getPrototypeOf(value)) === OF_LANGUAGE) return true;
  if (types.isArgumentsObject(value) || types.isModuleNamespaceObject(value)) return true;
  return Object.keys(value).length === 0;
}

function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
