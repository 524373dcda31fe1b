/** Three jobs: A and C, then B. Run with `node build/examples/hello/main.js [threads]`. */
import { JobSystem } from "heddle";
import { jobA, jobB, jobC } from "./work.js";

await using jobs = await JobSystem.create({
  threads: Number(process.argv[2] ?? 1),
  modules: [new URL("./work.js", import.meta.url)],
});

const a = jobs.spawn(jobA);
const b = jobs.spawn(jobB);
const c = jobs.spawn(jobC);
a.then(b);
c.then(b);
await b;
