/** What the creating thread and its workers tell each other when they start and stop. */
import type { MessagePort, Printed } from "../platform/host.js";

import type { Introduction } from "../values/shared-objects.js";

/** Given to a new worker. */
export interface WorkerStart {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly maxJobs: number;
  readonly concurrency: number;
  readonly me: number;
  /** The version of heddle that has started the thread. */
  readonly heddle: string;
  /** The modules' addresses; null for what `serve` is given. */
  readonly modules: readonly (string | null)[];
  /** The names of the job functions as the creating thread has them. */
  readonly names: readonly string[];
  /** A port to each other thread, by its number; none to itself. */
  readonly ports: readonly (MessagePort | undefined)[];
  /** Shared objects that the other threads know already. */
  readonly introductions: readonly Introduction[];
  /** Kept as long as the worker lives: see `Pulse`. */
  readonly pulse: MessagePort | undefined;
  /** For the worker's messages to the creating thread; the port that Node gives to workers is the user's. */
  readonly control: MessagePort;
}

/** Sent by a worker. */
export type WorkerMessage =
  | { readonly type: "loading"; readonly module: string }
  | { readonly type: "ready" }
  | { readonly type: "refused"; readonly error: unknown }
  | { readonly type: "stopped" }
  | { readonly type: "printed"; readonly printed: Printed }
  | { readonly type: "unobserved"; readonly failure: Uint8Array }
  /** Asks for the end of the thread that runs the job of `slot`, whose signal was aborted, if that is still in `state`. */
  | { readonly type: "aborted"; readonly slot: number; readonly state: number };
