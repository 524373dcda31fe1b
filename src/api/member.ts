/** One worker thread, from its start to its end, as the creating thread sees it. */
import {
  elapsed,
  hear,
  MessageChannel,
  type MessagePort,
  Pulse,
  receiveNow,
  startThread,
  type ThreadOptions,
  type Worker,
  whenEnded,
} from "../platform/host.js";
import { withStack } from "./failure-errors.js";
import type { WorkerMessage, WorkerStart } from "./messages.js";
import { deferred } from "./outcomes.js";

/** A worker that is to end does so by itself, after its exit handlers, which are the user's; in this time, or it is terminated. In milliseconds. */
const END_WITHIN = 1000;
/** A thread that was terminated may be held up by native code. It is left to itself when none has ended for so long, in milliseconds. */
const LEFT_AFTER = 3000;

/** How workers are started. */
export interface MemberOptions extends ThreadOptions {
  /** How long one may take to get ready, in milliseconds. */
  readonly startTimeout: number;
}

/** What the pool hears of a worker. */
export interface Hearer {
  /** Something that heddle's own part of the worker has sent. */
  onMessage(member: Member, message: WorkerMessage): void;
  /** Something that the user's part has sent. */
  onUserMessage(member: Member, value: unknown): void;
  /** Whether the thread has written down that it ends. */
  hasNotedExit(member: Member): boolean;
  /** The thread has ended, or is left to itself. */
  onEnd(member: Member): void;
}

export class Member {
  readonly thread: number;
  /** Settles when it can run jobs. @throws what a module has thrown, or an Error that says why it never can */
  readonly ready: Promise<void>;
  /** When it was made, and when it was ready, in milliseconds; 0 if it was not yet. */
  readonly born = elapsed();
  readySince = 0;
  /** Its death is known, and that was told. */
  dead = false;
  /** Whether it has ended because it was told to, or that it has is of no interest. */
  stopped = false;
  /** Whether heddle has ended it because of a job. */
  killed = false;
  /** Why it has ended, as far as that is known. */
  cause: unknown;
  /** What its thread has ended with, once it has. */
  exitCode: number | undefined;
  /** Whether it was terminated, and still did not end in time. */
  left = false;
  readonly #worker: Worker;
  readonly #control: MessagePort;
  readonly #pulse: Pulse;
  readonly #hearer: Hearer;
  readonly #how: MemberOptions;
  readonly #whenReady = deferred<void>();
  /** The module that it is loading. */
  #loading = "";
  /** Whether it could not load its modules, after which it ends at once. */
  #refused = false;
  /** Since when it is to end, and since when it was terminated, in milliseconds; 0 if that is not so. */
  #endingSince = 0;
  #terminatedSince = 0;

  /**
   * Starts it.
   *
   * @throws what Node throws if it cannot start a thread; then nothing is left of it
   */
  constructor(start: Omit<WorkerStart, "pulse" | "control">, how: MemberOptions, hearer: Hearer) {
    this.thread = start.me;
    this.#how = how;
    this.#hearer = hearer;
    const { port1, port2 } = new MessageChannel();
    this.#control = port1;
    this.#pulse = new Pulse();
    const data: WorkerStart = { ...start, pulse: this.#pulse.other, control: port2 };
    const ports = [data.pulse, port2, ...start.ports].filter((port) => port !== undefined);
    try {
      this.#worker = startThread(start.me, data, ports, how);
    } catch (error) {
      this.#closePorts();
      for (const port of ports) port.close();
      throw error;
    }
    this.ready = this.#whenReady.promise;
    // A replacement's death is noticed as every other.
    this.ready.catch(() => {});
    hear(port1, (message: WorkerMessage) => this.#hear(message));
    this.#worker.on("message", (value) => hearer.onUserMessage(this, value));
    this.#worker.on("error", (error) => {
      this.cause ??= error;
      this.#whenReady.reject(error);
    });
    whenEnded(this.#worker, (code) => this.#noteExit(code));
  }

  /** Whether its thread may still run. */
  get running(): boolean {
    return this.exitCode === undefined && !this.left;
  }

  /** Whether `check` has something to look at. */
  get watched(): boolean {
    return this.running && (this.readySince === 0 || this.#endingSince > 0 || this.#terminatedSince > 0);
  }

  /** Whether its thread is seen to have ended, also where the event loop of this one stands still. */
  get gone(): boolean {
    if (this.exitCode !== undefined) return true;
    if (this.#pulse.works) return this.#pulse.stopped;
    return this.#refused || this.#hearer.hasNotedExit(this);
  }

  /** Takes in what it has sent, where the event loop stands still. */
  receive(): void {
    for (let message = receiveNow(this.#control); message !== undefined; message = receiveNow(this.#control)) {
      this.#hear(message as WorkerMessage);
    }
  }

  ref(): void {
    this.#worker.ref();
  }

  unref(): void {
    this.#worker.unref();
  }

  /** It is about to end by itself. */
  expectEnd(): void {
    this.#endingSince ||= elapsed();
  }

  /** Ends it, whatever it is doing. @param cause why, if it is not to count as stopped */
  terminate(cause?: unknown): void {
    if (cause !== undefined) this.cause ??= cause;
    if (this.#terminatedSince > 0) return;
    this.#terminatedSince = elapsed();
    void this.#worker.terminate();
  }

  /** Terminates it, or leaves it to itself, when it is time. @param lastEnd when the last other thread has ended, in milliseconds */
  check(now: number, lastEnd: number): void {
    if (!this.running) return;
    if (this.#terminatedSince > 0) {
      if (now - Math.max(this.#terminatedSince, lastEnd) < LEFT_AFTER) return;
      this.left = true;
      this.unref();
      this.#hearer.onEnd(this);
    } else if (this.#endingSince > 0) {
      if (now - this.#endingSince >= END_WITHIN) this.terminate();
    } else if (this.readySince === 0 && now - this.born >= this.#how.startTimeout) {
      const late = `a worker was not ready after ${this.#how.startTimeout} ms${this.#whereItIs()}; give JobSystem.create a larger startTimeout if it needs more`;
      const error = withStack(new Error(late));
      this.#whenReady.reject(error);
      this.terminate(error);
    }
  }

  #whereItIs(): string {
    if (this.#loading !== "") {
      return `: it was loading ${this.#loading}, which may loop, or await at its top level what never comes`;
    }
    const isOwn = this.#how.worker === undefined;
    return isOwn ? "" : ": the program that the option worker starts must call serve() of heddle/worker";
  }

  #hear(message: WorkerMessage): void {
    if (message.type === "loading") this.#loading = message.module;
    else if (message.type === "ready") {
      this.#loading = "";
      this.readySince = elapsed();
      this.#whenReady.resolve();
    } else if (message.type === "refused") {
      this.#refused = true;
      this.cause = message.error;
      this.expectEnd();
      this.#whenReady.reject(message.error);
    } else if (message.type === "stopped") {
      this.stopped = true;
      this.expectEnd();
    }
    this.#hearer.onMessage(this, message);
  }

  #noteExit(code: number): void {
    // What it has sent just before.
    this.receive();
    this.exitCode = code;
    this.#closePorts();
    const early = `a worker ended with code ${code} before it was ready${this.#whereItIs()}`;
    this.#whenReady.reject(withStack(new Error(early)));
    this.#hearer.onEnd(this);
  }

  #closePorts(): void {
    this.#control.close();
    this.#pulse.close();
  }
}
