/** What a job is given before it is scheduled: its priority, and where it runs. */
import type { Job } from "heddle";

export interface Placement {
  readonly priority?: "high" | "normal" | "low";
  readonly on?: "main";
}

export function withPlacement<J extends Job<unknown>>(job: J, { priority = "normal", on }: Placement): J {
  return on === undefined ? job.with({ priority }) : job.with({ priority, on });
}
