import { copyFileSync } from "node:fs";

copyFileSync(process.execPath, "out/main");
