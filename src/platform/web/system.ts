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

/** Why threads have no memory in common, and what to do; undefined where they have. */
export const noSharedMemory: string | undefined =
  typeof SharedArrayBuffer === "function"
    ? undefined
    : "there is no shared memory, as this page is not cross-origin isolated: serve it over https or from localhost, with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";

/** Whether there are processes, whose options and environment threads take. */
export const hasProcesses: boolean = false;

/** How deep jobs may wait inside jobs that wait: the stacks of Chromium's workers, of some 500 KiB, end at about 300. */
export const DEEPEST = { main: 128, worker: 128 };

/** What another runtime than Node is called. */
export const otherRuntime: string | undefined = "this browser";
