import * as heddle from "heddle";
import { runAll } from "../../cases.js";
import * as work from "../../work.js";

export const dynamic = "force-dynamic";

export async function GET() {
  await runAll(heddle, work, {
    modules: [work],
    worker: (options) => new Worker(new URL("../../jobs.worker.js", import.meta.url), options),
  });
  return new Response("done");
}
