import { JobSystem } from "heddle";

/** Runs `body` with a job system of the benchmarks' functions, and shuts it down. */
export async function withSystem<T>(threads: number, body: (jobs: JobSystem) => Promise<T>): Promise<T> {
  const jobs = await createSystem(threads);
  try {
    return await body(jobs);
  } finally {
    await jobs.shutdown();
  }
}

export function createSystem(threads: number): Promise<JobSystem> {
  return JobSystem.create({ threads, modules: [new URL("./work.js", import.meta.url)] });
}
