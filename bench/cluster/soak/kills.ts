/** Threads that were ended with a job which took longer than it might: what else they had begun begins again, or fails. */
import { Faults } from "./faults.js";
import type { Notes } from "./notes.js";
import type { Plan } from "./plan.js";

/** A thread ends so long after its job's limit, at most, in milliseconds, on a busy machine. */
const LATEST_END = 5000;

/** When such threads of each worker ended, at about. */
export function killsIn(plans: readonly Plan[], notes: Notes): Faults {
  const kills = new Faults();
  for (const { graph, jobs } of plans) {
    for (const [job, { kind, options }] of jobs.entries()) {
      if ((kind !== "late" && kind !== "lateBusy") || !options.kill) continue;
      for (const { worker, begun } of notes.of(graph, job)) {
        kills.add(worker, begun, begun + options.timeout! + LATEST_END);
      }
    }
  }
  return kills;
}
