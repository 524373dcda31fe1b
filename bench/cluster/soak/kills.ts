/**
 * Threads that were ended with a job which took longer than it might, or whose run was cancelled: what else they had begun
 * begins again, or fails.
 */
import { Faults } from "./faults.js";
import type { Notes } from "./notes.js";
import type { Plan } from "./plan.js";

/** A thread ends so long after its job's limit, at most, in milliseconds, on a busy machine. */
const LATEST_END = 5000;

/** When such threads of each worker ended, at about. */
export function killsIn(plans: readonly Plan[], notes: Notes): Faults {
  const kills = new Faults();
  for (const { graph, jobs, cancelAfter } of plans) {
    for (const [job, { kind, options, place }] of jobs.entries()) {
      if (!options.kill) continue;
      const isLate = kind === "late" || kind === "lateBusy";
      for (const { worker, begun, ended } of notes.of(graph, job)) {
        if (isLate) kills.add(worker, begun, begun + options.timeout! + LATEST_END);
        // Its run was cancelled while it ran.
        else if (cancelAfter !== undefined && ended === undefined) {
          kills.add(worker, begun, begun + place.amount + LATEST_END);
        }
      }
    }
  }
  return kills;
}
