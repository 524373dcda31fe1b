/** Does something again and again, one time after the other. What goes wrong is reported, and the next time comes all the same. */
export class Rounds {
  readonly #act: () => Promise<void>;
  readonly #report: (error: Error) => void;
  readonly #timer: NodeJS.Timeout;
  #underWay: Promise<void> | undefined;
  #closed = false;

  /** @param every milliseconds; the first time is after so many */
  constructor(every: number, act: () => Promise<void>, report: (error: Error) => void) {
    this.#act = act;
    this.#report = report;
    this.#timer = setInterval(() => this.begin(), every);
  }

  /** Does it now, unless it is under way. */
  begin(): void {
    this.#underWay ??= this.#act()
      .catch((error: unknown) => this.#report(error as Error))
      .finally(() => {
        this.#underWay = undefined;
      });
  }

  /** What takes long is to look whether it is needed any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends it, once what is under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#underWay;
  }
}
