/**
 * The same graphs with pg-boss alone, as quickly as one process can: its own worker, which settles a batch at once with the
 * result of each, calls the function in place, and what depends on it is unblocked at once, in place of within some seconds.
 */
import { setTimeout as delay } from "node:timers/promises";
import { PGlite } from "@electric-sql/pglite";
import { fromPglite, PgBoss } from "pg-boss";
import type { Prerequisites } from "./graphs.js";
import * as work from "./work.js";

const QUEUE = "plain";
const BATCH = 512;

/** @returns what runs a graph once, and what ends it */
export async function plain(
  url: string | undefined,
): Promise<{ run: (graph: Prerequisites) => Promise<void>; close: () => Promise<void> }> {
  const common = { schema: "plain", schedule: false, registerInstance: false };
  const embedded = url === undefined ? await PGlite.create() : undefined;
  const boss = new PgBoss(
    embedded === undefined
      ? { ...common, connectionString: url }
      : { ...common, backend: "pglite", db: fromPglite(embedded) },
  );
  await boss.start();
  await boss.createQueue(QUEUE);
  return {
    run: async (graph) => {
      await submit(boss, graph);
      await worked(boss, graph);
    },
    close: async () => {
      await boss.stop({ graceful: false });
      await embedded?.close();
    },
  };
}

/** With pg-boss's own worker, which is called for another batch as soon as there can be one. */
async function worked(boss: PgBoss, graph: Prerequisites): Promise<void> {
  const linked = graph.some((before) => before.length > 0);
  let done = 0;
  const options = { batchSize: BATCH, perJobResults: true, pollingIntervalSeconds: 0.5 } as const;
  const worker = await boss.work<{ number: number }, unknown, typeof options>(QUEUE, options, async (jobs) => {
    done += jobs.length;
    return jobs.map(({ id, data }) => ({ id, status: "completed", output: { result: work.nothing(data.number) } }));
  });
  while (done < graph.length) {
    if (linked) await boss.resolveFlow();
    boss.notifyWorker(worker);
    await delay(1);
  }
  await boss.offWork(QUEUE, { id: worker, wait: true });
}

async function submit(boss: PgBoss, graph: Prerequisites): Promise<void> {
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
