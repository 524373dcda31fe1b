/**
 * Programs that look whether job systems are collected: `node --expose-gc leak-program.js NAME SYSTEMS`. Each prints what is left of a number
 * of systems, and of what was given to their jobs, once that does not change any more: `[]` if nothing is.
 */
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { JobSystem } from "heddle";
import { BUN } from "./runtime.js";
import * as work from "./starting-work.js";
import { HOW } from "./starting-work.js";

const modules = [new URL("./starting-work.js", import.meta.url)];
const SYSTEMS = Number(process.argv[3]);
const collect = (globalThis as unknown as { gc(): void }).gc;

/** What is to be collected, by name. */
const noted: { name: string; object: WeakRef<object> }[] = [];
function note<T extends object>(name: string, object: T): T {
  noted.push({ name, object: new WeakRef(object) });
  return object;
}

async function create(threads = 2): Promise<JobSystem> {
  const jobs = note("system", await JobSystem.create({ threads, modules }));
  jobs.on("error", () => {});
  // The job is kept by its system; so is the buffer.
  const buffer = note("buffer", new SharedArrayBuffer(2 ** 20));
  note("job", jobs.spawn(work.take, new Uint8Array(buffer)));
  await jobs.run(work.take, new Uint8Array(buffer));
  await note("group", fill(jobs));
  return jobs;
}

function fill(jobs: JobSystem) {
  const group = jobs.group();
  for (let k = 0; k < 100; k++) group.run(work.add, k, 1);
  return group;
}

/** It lives as long as the program. */
const { signal } = new AbortController();

const ENDS: Record<string, () => Promise<unknown>> = {
  async plain() {
    await (await create()).shutdown();
  },

  async force() {
    const jobs = await create();
    void jobs.run(work.loop).then(undefined, () => {});
    void jobs.run(work.never).then(undefined, () => {});
    await jobs.shutdown({ force: true, grace: 1 });
  },

  async killed() {
    const jobs = await create();
    await jobs
      .spawn(work.loop)
      .with({ timeout: 1, kill: true })
      .then(undefined, () => {});
    await jobs.run(work.exit).then(undefined, () => {});
    await jobs.shutdown();
  },

  async givenUp() {
    const jobs = await create(1);
    process.env[HOW] = "exit";
    await jobs.run(work.exit).then(undefined, () => {});
    await jobs.run(work.add, 1, 2).then(undefined, () => {});
    delete process.env[HOW];
    await jobs.shutdown();
  },

  async notCreated() {
    process.env[HOW] = "throw";
    await JobSystem.create({ threads: 2, modules }).catch(() => {});
    delete process.env[HOW];
    await JobSystem.create({ threads: 2, modules, signal: AbortSignal.timeout(1) }).catch(() => {});
  },

  /** Jobs that have settled, of a system that goes on. */
  async signals() {
    const jobs = await theSystem();
    for (let k = 0; k < 5000; k += 500) {
      const some = Array.from({ length: 500 }, () => jobs.spawn(work.add, k, 1).with({ signal }));
      note("job with a signal", some[0]);
      await Promise.all(some);
    }
  },
};

let system: JobSystem | undefined;
async function theSystem(): Promise<JobSystem> {
  system ??= await JobSystem.create({ threads: 2, modules });
  return system;
}

/** Address space in MiB, where the system tells: each system that lives has 2 GiB of it. Bun keeps that of threads that have ended. */
function addressSpace(): number {
  if (BUN) return 0;
  try {
    return (Number(readFileSync("/proc/self/statm", "utf8").split(" ")[0]) * 4096) / 2 ** 20;
  } catch {
    return 0;
  }
}

const end = ENDS[process.argv[2]];
await end();
const before = addressSpace();
for (let k = 0; k < SYSTEMS; k++) await end();
let left: string[] = [];
// Collectors take their time, and so do ports that close.
for (let k = 0; k < 500; k++) {
  // Not in the same turn as a look: that keeps what it finds.
  await pause(5);
  collect();
  await pause(5);
  left = noted.filter(({ object }) => object.deref() !== undefined).map(({ name }) => name);
  if (addressSpace() - before > 1024 * SYSTEMS) left.push("address space");
  if (left.length === 0) break;
}
console.log(JSON.stringify(left));
await system?.shutdown();
