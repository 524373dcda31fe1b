/** Systems for the tests. */
import { JobSystem, type JobSystemOptions } from "heddle";

export const WORK = new URL("./work.js", import.meta.url);
export const PLACED_WORK = new URL("./placed-work.js", import.meta.url);

/** Runs `body` with a system of its own, which is shut down afterwards. */
export async function withSystem(
  options: Omit<JobSystemOptions, "modules">,
  body: (jobs: JobSystem) => Promise<void> | void,
  module = WORK,
): Promise<void> {
  const jobs = await JobSystem.create({ ...options, modules: [module] });
  try {
    await body(jobs);
  } finally {
    await jobs.shutdown();
  }
}
