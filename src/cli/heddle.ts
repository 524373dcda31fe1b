#!/usr/bin/env node
/** `heddle worker`: a worker of a cluster, until it is told to stop. `heddle migrate`: creates what a cluster needs. */
import { resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Cluster, type ClusterOptions } from "../cluster.js";

const HELP = `heddle worker --url postgres://… --modules ./work.js [options]
heddle migrate --url postgres://… --modules ./work.js [--schema NAME]

worker: takes jobs from a cluster's database and runs them, until SIGTERM or SIGINT: then it takes no more, waits for those
that run, and gives the others back. A second signal ends it at once.
migrate: creates the schema, its tables and the modules' queues, or brings them up to date, and ends.

  --url URL          the database (or HEDDLE_URL in the environment, which does not show in the list of processes)
  --modules A,B      the modules whose functions it runs; the option may be given more than once
  --threads N        worker threads, 1 to 256 (default: what the machine can run at once)
  --concurrency N    asynchronous jobs in flight on each thread, at most (default: 64)
  --schema NAME      the schema in the database (default: heddle)
  --no-create-schema the schema must be there already, made by heddle migrate: the role needs no right to create it
  --keep TIME        delete runs that ended longer ago, such as 12h or 7d (default: never)
  --grace MS         how long to wait for running jobs when it is told to stop, in milliseconds (default: 30000)`;

/** PostgreSQL's error code while it starts or ends. */
const STARTING = "57P03";
/** How long to wait before another try to connect, in milliseconds. */
const TRY_EVERY = 1000;

/** Something is wrong with what the user gave. */
class UsageError extends Error {}

const text = { type: "string" } as const;
const OPTIONS = {
  url: text,
  modules: { type: "string", multiple: true },
  threads: text,
  concurrency: text,
  schema: text,
  "no-create-schema": { type: "boolean" },
  keep: text,
  grace: text,
  help: { type: "boolean", short: "h" },
} as const;

function read(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function whole(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new UsageError(`--${name} must be a whole number, not "${value}"`);
  return Number(value);
}

async function main(): Promise<void> {
  const { values, positionals } = read(process.argv.slice(2));
  if (values.help) return console.log(HELP);
  const [command, ...more] = positionals;
  if ((command !== "worker" && command !== "migrate") || more.length > 0) {
    throw new UsageError(
      command === undefined ? "what to do is missing" : `there is no command "${positionals.join(" ")}"`,
    );
  }
  const url = values.url ?? process.env.HEDDLE_URL;
  if (url === undefined) throw new UsageError("--url is missing: the database, such as postgres://user@host/database");
  const modules = (values.modules ?? []).flatMap((each) => each.split(",")).filter((each) => each !== "");
  if (modules.length === 0) throw new UsageError("--modules is missing: the modules whose functions are jobs");
  const threads = whole("threads", values.threads);
  const concurrency = whole("concurrency", values.concurrency);
  const timeout = whole("grace", values.grace);

  const addresses = modules.map((each) => (/^[a-z][a-z0-9+.-]+:/i.test(each) ? each : resolve(each)));
  if (command === "migrate") {
    const odd = (["threads", "concurrency", "no-create-schema", "keep", "grace"] as const).find(
      (name) => name in values,
    );
    if (odd !== undefined) throw new UsageError(`--${odd} is an option of heddle worker`);
    await Cluster.migrate({ url, modules: addresses, schema: values.schema });
    return console.log(`heddle: the schema is ready, for jobs of ${modules.join(", ")}`);
  }
  const createSchema = !values["no-create-schema"];
  const { schema, keep } = values;
  const cluster = await connect({ url, modules: addresses, schema, createSchema, keep });
  cluster.on("error", (error) => console.error(`heddle: ${error.message}`));
  try {
    const worker = await cluster.startWorker({ threads, concurrency });
    // Before anybody can know that it is ready, and end it.
    const signalled = told();
    console.log(`heddle: worker ${process.pid} is ready, for jobs of ${modules.join(", ")}`);
    const signal = await signalled;
    console.log(`heddle: ${signal}: waiting for ${worker.running} jobs`);
    await worker.stop({ timeout });
  } finally {
    await cluster.close();
  }
  console.log("heddle: stopped");
}

/** Waits for a server that is just starting, as workers and server are often started together. */
async function connect(options: ClusterOptions): Promise<Cluster> {
  for (;;) {
    try {
      return await Cluster.connect(options);
    } catch (error) {
      if ((error as { cause?: { code?: unknown } }).cause?.code !== STARTING) throw error;
      console.error(`heddle: ${(error as Error).message}; trying again`);
      await delay(TRY_EVERY);
    }
  }
}

/** Waits for a signal to stop. The next one, of either kind, ends the process. */
async function told(): Promise<NodeJS.Signals> {
  return await new Promise((resolve) => {
    let before = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (before) process.exit(1);
        before = true;
        resolve(signal);
      });
    }
  });
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UsageError ? `heddle: ${error.message}\n\n${HELP}` : error);
  process.exitCode = 1;
}
