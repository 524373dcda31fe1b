import * as heddle from "heddle";
import { runAll } from "./cases.js";
import * as work from "./work.js";

await runAll(heddle, work, { modules: [new URL("./work.js", import.meta.url)] });
