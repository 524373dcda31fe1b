import { join } from "node:path";
import * as heddle from "heddle";
import { runAll } from "../../cases.js";
import * as work from "../../work.js";

export const dynamic = "force-dynamic";

export async function GET() {
  await runAll(heddle, work, { modules: [[join(process.cwd(), "work.js"), work]] });
  return new Response("done");
}
