import * as work from "@ours/work";
import * as heddle from "heddle";
import { runAll } from "./cases.js";

await runAll(heddle, work, { modules: [import.meta.resolve("@ours/work")] });
