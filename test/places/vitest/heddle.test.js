import * as heddle from "heddle";
import { test } from "vitest";
import { cases, runCase } from "./cases.js";
import * as work from "./work.js";

// Vitest's import of the module is another instance than heddle's, so both are given.
const modules = [[new URL("./work.js", import.meta.url), work]];
for (const name of Object.keys(cases)) test(name, () => runCase(name, heddle, work, { modules }));
