import * as heddle from "heddle";
import { runAll } from "./cases.js";
import * as work from "./work.ts";

await runAll(heddle, work, { modules: [new URL("./work.ts", import.meta.url)] });
