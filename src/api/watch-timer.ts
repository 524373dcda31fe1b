/** Looks for jobs whose time is over from the main thread's event loop, as long as there are jobs with a time limit. */
import { every } from "../platform/host.js";
import type { Context } from "../scheduler/context.js";
import { anyLimited } from "../scheduler/control.js";
import { WATCH_EVERY, watchNow } from "../scheduler/watch.js";

export class WatchTimer {
  readonly #context: Context;
  readonly #afterwards: () => void;
  #end: (() => void) | undefined;
  #stopped = false;

  /** @param afterwards called after each look: jobs may have settled */
  constructor(context: Context, afterwards: () => void) {
    this.#context = context;
    this.#afterwards = afterwards;
  }

  /** To be called whenever there may be jobs with a time limit, although there were none before. */
  start(): void {
    if (this.#end === undefined && !this.#stopped) this.#end = every(WATCH_EVERY, () => this.#look());
  }

  /** Ends it for good. */
  stop(): void {
    this.#stopped = true;
    this.#pause();
  }

  #pause(): void {
    this.#end?.();
    this.#end = undefined;
  }

  #look(): void {
    if (!anyLimited(this.#context)) {
      this.#pause();
      return;
    }
    watchNow(this.#context);
    this.#afterwards();
  }
}
