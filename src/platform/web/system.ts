/** The machine, and what users listen to. */

type Listener = (...args: never[]) => void;

/** As much of Node's EventEmitter as a system needs. */
export class EventEmitter {
  readonly #listeners = new Map<string, Listener[]>();

  on(event: string, listener: Listener): this {
    this.#listeners.set(event, [...this.#of(event), listener]);
    return this;
  }

  once(event: string, listener: Listener): this {
    const only = Object.assign(
      (...args: never[]) => {
        this.off(event, only);
        listener(...args);
      },
      { listener },
    );
    return this.on(event, only);
  }

  off(event: string, listener: Listener): this {
    const listeners = this.#of(event);
    const at = listeners.findLastIndex(
      (each) => each === listener || (each as { listener?: unknown }).listener === listener,
    );
    this.#listeners.set(event, listeners.toSpliced(at, at < 0 ? 0 : 1));
    return this;
  }

  addListener(event: string, listener: Listener): this {
    return this.on(event, listener);
  }

  removeListener(event: string, listener: Listener): this {
    return this.off(event, listener);
  }

  removeAllListeners(event?: string): this {
    if (event === undefined) this.#listeners.clear();
    else this.#listeners.delete(event);
    return this;
  }

  /** Calls the listeners that there are now. @returns whether there are any */
  emit(event: string, ...args: unknown[]): boolean {
    const listeners = this.#of(event);
    for (const listener of listeners) Reflect.apply(listener, this, args);
    return listeners.length > 0;
  }

  listeners(event: string): Listener[] {
    return [...this.#of(event)];
  }

  listenerCount(event: string): number {
    return this.#of(event).length;
  }

  #of(event: string): readonly Listener[] {
    return this.#listeners.get(event) ?? [];
  }
}

export function availableParallelism(): number {
  return globalThis.navigator.hardwareConcurrency || 1;
}

/** Why there is no memory that threads share, and what to do; undefined where there is. */
export function withoutSharedMemory(): string | undefined {
  if (typeof SharedArrayBuffer === "function") return undefined;
  return "there is no shared memory, as this page is not cross-origin isolated: serve it over https or from localhost, with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
}

/** What this runtime is called if threads take no options of processes, nor limits of memory. */
export function withoutProcess(): string | undefined {
  return "browsers";
}

/** Whether the stacks of threads are small, and not ours to size. */
export const smallStacks: boolean = true;

/** Whether workers have much room on their stacks. */
export const sizesStacks: boolean = false;

/** What another runtime than Node is called. */
export const otherRuntime: string | undefined = "this browser";
