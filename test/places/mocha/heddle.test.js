import * as heddle from "heddle";
import { cases, runCase } from "./cases.js";
import * as work from "./work.js";

const modules = [new URL("./work.js", import.meta.url)];
for (const name of Object.keys(cases)) it(name, () => runCase(name, heddle, work, { modules }));
