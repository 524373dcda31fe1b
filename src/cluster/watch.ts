/** Tells of runs' progress: when the database notifies of it and, should a notification be lost, every second. */
import type { RunStatus, Store } from "./store.js";

/** How often to look though nothing was notified of, in milliseconds. */
const LOOK_EVERY = 1000;
/** The shortest time between two looks at how far a run is, in milliseconds. Its end is looked at without delay. */
const PROGRESS_EVERY = 50;

/** Whoever wants to know of a run. */
export interface Watcher {
  /** The run's status is this now; undefined: there is no such run any more. */
  onStatus(status: RunStatus | undefined): Promise<void>;
  /** Nothing more will be told. */
  onClosed(): void;
}

export class Watch {
  readonly #store: Store;
  readonly #report: (error: Error) => void;
  readonly #watchers = new Map<string, Set<Watcher>>();
  /** Runs to look at. */
  readonly #changed = new Set<string>();
  /** Runs to look at a little later. */
  readonly #progressed = new Set<string>();
  #later: NodeJS.Timeout | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param report called when the database can't be asked; it is asked again */
  constructor(store: Store, report: (error: Error) => void) {
    this.#store = store;
    this.#report = report;
  }

  get closed(): boolean {
    return this.#closed;
  }

  add(run: string, watcher: Watcher): void {
    if (this.#closed) {
      watcher.onClosed();
      return;
    }
    const watchers = this.#watchers.get(run);
    if (watchers === undefined) this.#watchers.set(run, new Set([watcher]));
    else watchers.add(watcher);
    this.#timer ??= setInterval(() => this.lookAtAll(), LOOK_EVERY);
    this.look(run);
  }

  remove(run: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(run);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(run);
    if (this.#watchers.size === 0) this.#rest();
  }

  /** Something may be new in a run. */
  look(run: string): void {
    if (!this.#watchers.has(run)) return;
    this.#changed.add(run);
    if (!this.#looking) void this.#look();
  }

  /** Jobs of a run have ended, and others have not. */
  progressed(run: string): void {
    if (!this.#watchers.has(run)) return;
    this.#progressed.add(run);
    const left = this.#lookedAt + PROGRESS_EVERY - performance.now();
    this.#later ??= setTimeout(
      () => {
        this.#later = undefined;
        const runs = [...this.#progressed];
        this.#progressed.clear();
        for (const each of runs) this.look(each);
      },
      Math.max(left, 0),
    );
  }

  lookAtAll(): void {
    for (const run of this.#watchers.keys()) this.look(run);
  }

  close(): void {
    this.#closed = true;
    const watchers = [...this.#watchers.values()].flatMap((each) => [...each]);
    this.#watchers.clear();
    this.#rest();
    for (const watcher of watchers) watcher.onClosed();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#progressed.clear();
  }

  /** One look at a time: what changes meanwhile is looked at next. */
  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#changed.size > 0) {
      const runs = [...this.#changed];
      this.#changed.clear();
      this.#lookedAt = performance.now();
      try {
        const statuses = new Map((await this.#store.statuses(runs)).map((status) => [status.id, status]));
        for (const run of runs) {
          for (const watcher of this.#watchers.get(run) ?? []) await this.#tell(watcher, statuses.get(run));
        }
      } catch (error) {
        if (!this.#closed) this.#report(error as Error);
      }
    }
    this.#looking = false;
  }

  /** What goes wrong with one watcher is no reason not to tell the others. */
  async #tell(watcher: Watcher, status: RunStatus | undefined): Promise<void> {
    try {
      await watcher.onStatus(status);
    } catch (error) {
      if (!this.#closed) this.#report(error as Error);
    }
  }
}
