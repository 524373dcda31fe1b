/**
 * The same graphs with pg-boss alone, as quickly as one process can: it fetches what is ready, calls the function in
 * place, completes, and has what depends on it unblocked at once, in place of within some seconds.
 */
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { fromPglite, PgBoss } from "pg-boss";
import * as work from "./work.js";

const QUEUE = "plain";
const BATCH = 512;

/**
 * How jobs are completed: `work` settles a batch at once, with the result of each; `batches` does too, but keeps no results,
 * and fetches by itself; `each` completes one by one, with its result.
 */
export type Completing = "work" | "batches" | "each";

export async function plain(
  url: string | undefined,
  graph: readonly (readonly number[])[],
  completing: Completing,
  runs: number,
): Promise<number[]> {
  const common = { schema: "plain", schedule: false, registerInstance: false };
  const embedded = url === undefined ? await PGlite.create() : undefined;
  const boss = new PgBoss(
    embedded === undefined
      ? { ...common, connectionString: url }
      : { ...common, backend: "pglite", db: fromPglite(embedded) },
  );
  await boss.start();
  await boss.createQueue(QUEUE);
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await submit(boss, graph);
    if (completing === "work") await worked(boss, graph.length);
    else await fetched(boss, graph.length, completing);
    times.push(performance.now() - start);
  }
  await boss.stop({ graceful: false });
  await embedded?.close();
  return times;
}

/** With pg-boss's own worker, which is called for another batch as soon as there can be one. */
async function worked(boss: PgBoss, count: number): Promise<void> {
  let done = 0;
  const options = { batchSize: BATCH, perJobResults: true, pollingIntervalSeconds: 0.5 } as const;
  const worker = await boss.work<{ number: number }, unknown, typeof options>(QUEUE, options, async (jobs) => {
    done += jobs.length;
    return jobs.map(({ id, data }) => ({ id, status: "completed", output: { result: work.nothing(data.number) } }));
  });
  while (done < count) {
    await boss.resolveFlow();
    boss.notifyWorker(worker);
    await delay(1);
  }
  await boss.offWork(QUEUE, { id: worker, wait: true });
}

async function fetched(boss: PgBoss, count: number, completing: "batches" | "each"): Promise<void> {
  let done = 0;
  while (done < count) {
    const jobs = await boss.fetch<{ number: number }>(QUEUE, { batchSize: BATCH });
    if (jobs.length === 0) await delay(1);
    else await complete(boss, jobs, completing);
    done += jobs.length;
  }
}

async function submit(boss: PgBoss, graph: readonly (readonly number[])[]): Promise<void> {
  if (graph.every((before) => before.length === 0)) {
    await boss.insert(
      QUEUE,
      graph.map((_, number) => ({ data: { number } })),
    );
    return;
  }
  await boss.flow(
    graph.map((before, number) => ({
      ref: String(number),
      name: QUEUE,
      data: { number },
      dependsOn: before.map(String),
    })),
  );
}

async function complete(
  boss: PgBoss,
  jobs: readonly { id: string; retryCount: number; data: { number: number } }[],
  completing: "batches" | "each",
): Promise<void> {
  const results = jobs.map(({ data }) => work.nothing(data.number));
  if (completing === "batches") await boss.complete(QUEUE, [...jobs]);
  else await Promise.all(jobs.map((job, k) => boss.complete(QUEUE, job, { result: results[k] })));
  await boss.resolveFlow();
}
