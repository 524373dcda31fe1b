/** The database: a PostgreSQL server, or an embedded one in this process; and pg-boss, whose queues are in it. */
import type { PGlite, Results } from "@electric-sql/pglite";
import type { ConstructorOptions, Db, PgBoss } from "pg-boss";
import { otherThanNode } from "../platform/node.js";
import { isInstance } from "../values/describe.js";
import { lockDirectory } from "./lock.js";
import type { CheckedClusterOptions } from "./options.js";
import { Server } from "./server.js";

/** Runs statements: in the open, or within a transaction. Also what pg-boss takes to run its own there. */
export type Sql = Pick<Db, "executeSql">;

/** How often pg-boss looks for lost workers' jobs, in seconds. */
const SUPERVISE_EVERY = 5;
/** How often it deletes jobs that have ended long ago, in seconds. */
const MAINTAIN_EVERY = 600;
/** Tries of a transaction that the database has rolled back because of others. */
const MOST_TRIES = 5;
/** Errors of PostgreSQL: serialization failure, deadlock. */
const ROLLED_BACK = ["40001", "40P01"];

export class Database {
  readonly boss: PgBoss;
  /** Of the server; undefined: the database is embedded. */
  readonly url: string | undefined;
  readonly schema: string;
  readonly #server: Server | undefined;
  readonly #embedded: PGlite | undefined;
  readonly #unlock: () => void;
  #closed = false;

  private constructor(
    boss: PgBoss,
    { url, schema }: CheckedClusterOptions,
    server: Server | undefined,
    embedded: PGlite | undefined,
    unlock: () => void,
  ) {
    this.boss = boss;
    this.url = url;
    this.schema = schema;
    this.#server = server;
    this.#embedded = embedded;
    this.#unlock = unlock;
  }

  /**
   * Connects, and creates what is not there yet.
   *
   * @param report called with errors outside of any call, such as lost connections
   * @throws Error where a package or the server is missing, saying what to do
   */
  static async open(options: CheckedClusterOptions, report: (error: Error) => void): Promise<Database> {
    const { url, directory, schema } = options;
    const other = otherThanNode();
    if (other !== undefined) throw new Error(`heddle/cluster runs on Node 20.19 and newer; this is ${other}`);
    const { PgBoss, fromPglite } = await optional("pg-boss", "pg-boss@12", () => import("pg-boss"));
    // On Node 20, npm installs pg-boss 10 unless it is told which: that one has none of what is needed here.
    if (typeof PgBoss?.prototype?.resolveFlow !== "function") {
      throw new Error("this needs pg-boss 12.38 or newer, and an older one is installed: npm install pg-boss@12");
    }
    const common: ConstructorOptions = {
      schema,
      schedule: false,
      superviseIntervalSeconds: SUPERVISE_EVERY,
      monitorIntervalSeconds: SUPERVISE_EVERY,
      registerInstance: false,
      maintenanceIntervalSeconds: MAINTAIN_EVERY,
    };
    let database: Database | undefined;
    // Once it is being closed, statements that are cut off are no news.
    const tell = (error: unknown) => {
      if (database?.closed) return;
      report(isInstance(error, Error) ? error : new Error(messageOf(error), { cause: error }));
    };
    let server: Server | undefined;
    let embedded: PGlite | undefined;
    let unlock = () => {};
    let boss: PgBoss;
    if (url === undefined) {
      const { PGlite } = await optional(
        "@electric-sql/pglite",
        "@electric-sql/pglite",
        () => import("@electric-sql/pglite"),
      );
      if (directory !== undefined) unlock = lockDirectory(directory);
      try {
        embedded = await PGlite.create(directory);
      } catch (error) {
        unlock();
        throw error;
      }
      boss = new PgBoss({ ...common, backend: "pglite", db: fromPglite(embedded) });
    } else {
      server = await Server.open(url, channelOf(schema), tell).catch(cannotOpen);
      boss = new PgBoss({ ...common, db: server });
    }
    database = new Database(boss, options, server, embedded, unlock);
    boss.on("error", tell);
    try {
      await boss.start();
    } catch (error) {
      await database.close();
      cannotOpen(error);
    }
    return database;
  }

  /** Whether it has been, or is being, closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Runs one statement. */
  async query<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    const { rows } = await this.boss.getDb().executeSql(text, values);
    return rows as Row[];
  }

  /**
   * Runs statements, of which either all take effect or, where one throws, none.
   *
   * @param steps may be called again, when the database has rolled back what it did because of others
   */
  async transaction<T>(steps: (sql: Sql) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#transaction(steps);
      } catch (error) {
        if (tries === MOST_TRIES || !ROLLED_BACK.includes(String((error as { code?: unknown }).code))) throw error;
      }
    }
  }

  async #transaction<T>(steps: (sql: Sql) => Promise<T>): Promise<T> {
    if (this.#embedded !== undefined) {
      return await this.#embedded.transaction(async (tx) =>
        steps({
          // As pg-boss's adapter does outside of transactions: only without parameters may there be several statements.
          executeSql: async (text, values) =>
            values?.length
              ? await tx.query(text, values)
              : { rows: (await tx.exec(text)).flatMap((each: Results) => each.rows) },
        }),
      );
    }
    return await this.#server!.transaction(steps);
  }

  /**
   * Hears what others notify of on its channel.
   *
   * @param onReconnect called when it begins, and whenever something may have been missed
   * @returns how to end it
   */
  async listen(
    onNotification: (payload: string) => void,
    onReconnect: () => void,
  ): Promise<() => void | Promise<void>> {
    if (this.#server !== undefined) return this.#server.hear({ onNotification, onReconnect });
    const handle = await this.boss.getDb().listen!(channelOf(this.schema), onNotification, onReconnect);
    return () => handle.close();
  }

  /** Closes the connections. Others go on with the jobs. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.boss.stop({ graceful: false }).catch(() => {});
    await this.#server?.close();
    await this.#embedded?.close();
    this.#unlock();
  }
}

async function optional<M>(name: string, install: string, load: () => Promise<M>): Promise<M> {
  try {
    return await load();
  } catch (error) {
    if (!isInstance(error, Error) || (error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(`this needs the package ${name}: npm install ${install}`, { cause: error });
  }
}

/** The channel on which all that share a schema are told of what is new. */
export function channelOf(schema: string): string {
  return `heddle_${schema}`;
}

function cannotOpen(error: unknown): never {
  throw new Error(`cannot open the database: ${messageOf(error)}; is it running, and is url right?`, { cause: error });
}

/** Also of an error for each address that was tried, which has no message of its own. */
function messageOf(error: unknown): string {
  if (isInstance(error, AggregateError)) return error.errors.map(messageOf).join("; ");
  if (isInstance(error, Error)) return error.message;
  return String((error as { message?: unknown } | null)?.message ?? error);
}
