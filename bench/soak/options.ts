/** Options of single jobs. */
import type { Job } from "heddle";

export interface JobOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  readonly kill?: boolean;
  readonly priority?: "high" | "normal" | "low";
  readonly on?: "main";
  readonly retries?: number;
}

/** A job that can be given options. */
interface Configurable {
  with(options: JobOptions): Job<unknown>;
}

export function withOptions(job: Job<unknown>, options: JobOptions): Job<unknown> {
  return (job as unknown as Configurable).with(options);
}
