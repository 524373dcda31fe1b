/**
 * The event count of a thread that is alone: nobody else could wake it. So its memory need not be shared, and the thread never
 * blocks; its own event loop wakes it.
 */
import { EventCount, TURNING } from "./event-count.js";

export class LoneEventCount extends EventCount {
  #ring: () => void = () => {};

  /** A thread that blocked would sleep for ever. @returns false, as if the time were over */
  override commit(): boolean {
    return false;
  }

  override async changed(me: number, state: number = TURNING): Promise<void> {
    if (!this.isIn(me, state)) return;
    await new Promise<void>((resolve) => {
      this.#ring = resolve;
    });
  }

  override notify(thread: number, urgent = false): boolean {
    const woken = super.notify(thread, urgent);
    this.#ring();
    return woken;
  }

  override resume(): void {
    this.#ring();
  }
}
