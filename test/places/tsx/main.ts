import * as heddle from "heddle";
import { runAll } from "./cases.js";
import * as work from "./work.ts";

const modules = [new URL("./work.ts", import.meta.url)];
const execArgv = ["--import", new URL("./register.js", import.meta.url).href];
await runAll(heddle, work, { modules, execArgv });
