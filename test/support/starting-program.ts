/** Programs in which Node cannot start some threads: `starting-program.js NAME`. */
import { syncBuiltinESMExports } from "node:module";
import threads, { Worker } from "node:worker_threads";

let living = 0;
let started = 0;
let fails = (_number: number) => false;
process.on("worker", (worker) => {
  living++;
  worker.on("exit", () => living--);
});

/** As where the system gives no more threads. */
class Limited extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    if (fails(++started)) throw new Error("no more threads");
    super(...args);
  }
}
Object.assign(threads, { Worker: Limited });
syncBuiltinESMExports();

// Only now, so that it has that one.
const { JobSystem } = await import("heddle");
const modules = [new URL("./starting-work.js", import.meta.url)];
const work = await import("./starting-work.js");

async function failToCreate(): Promise<void> {
  console.log(String(await JobSystem.create({ threads: 4, modules }).catch((error: unknown) => error)));
}

const PROGRAMS: Record<string, () => Promise<void>> = {
  async first() {
    fails = () => true;
    await failToCreate();
  },

  async third() {
    fails = (number) => number === 3;
    await failToCreate();
  },

  async replacement() {
    const jobs = await JobSystem.create({ threads: 1, modules });
    jobs.on("error", () => {});
    fails = (number) => number < 5;
    await jobs.run(work.exit).then(undefined, () => {});
    console.log(await jobs.run(work.add, 1, 2));
    await jobs.shutdown();
  },

  async replacements() {
    const jobs = await JobSystem.create({ threads: 1, modules });
    const errors: Error[] = [];
    jobs.on("error", (error) => errors.push(error));
    fails = () => true;
    void jobs.run(work.exit).then(undefined, () => {});
    const error = await jobs.run(work.add, 1, 2).then(undefined, (error: unknown) => error);
    console.log((error as Error).name);
    console.log(errors.at(-1)?.message.match(/that was 10 times/)?.[0]);
    try {
      jobs.run(work.add, 1, 2);
    } catch (error) {
      console.log((error as Error).name);
    }
    await jobs.shutdown();
  },
};

await PROGRAMS[process.argv[2]]();
// Of a thread that has ended, this one may hear in a later turn.
await new Promise((resolve) => setImmediate(resolve));
console.log(`${living} living`);
