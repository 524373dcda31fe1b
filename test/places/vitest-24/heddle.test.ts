import * as heddle from "heddle";
import { test } from "vitest";
import { cases, runCase } from "./cases.ts";
import * as work from "./work.ts";

const modules = [[new URL("./work.ts", import.meta.url), work]];
for (const name of Object.keys(cases)) test(name, () => runCase(name, heddle, work, { modules }));
