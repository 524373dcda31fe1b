import * as heddle from "heddle";
import { cases, runCase } from "./cases.js";
import * as work from "./work.js";

// Jest's import of the module is another instance than heddle's threads have.
const modules = [[new URL("./work.js", import.meta.url), work]];
for (const name of Object.keys(cases)) test(name, () => runCase(name, heddle, work, { modules }));
