/** The database: a PostgreSQL server, or an embedded one in this process; and pg-boss, whose queues are in it. */
import type { PGlite, Results } from "@electric-sql/pglite";
import type { ConstructorOptions, Db, PgBoss } from "pg-boss";
import { otherThanNode } from "../platform/host.js";
import { isInstance } from "../values/describe.js";
import { ClusterSchemaError } from "./errors.js";
import { lockDirectory } from "./lock.js";
import type { CheckedClusterOptions } from "./options.js";
import { Server } from "./server.js";

/** Runs statements: in the open, or within a transaction. Also what pg-boss takes to run its own there. */
export type Sql = Pick<Db, "executeSql">;

/** How often pg-boss looks for lost workers' jobs, in seconds. */
const SUPERVISE_EVERY = 5;
/** The same where all workers are in this process, which look for such jobs themselves (lost.ts); and how often it unblocks what heddle has not. */
const EMBEDDED = { superviseIntervalSeconds: 60, flowIntervalSeconds: 60 };
/** How often it deletes jobs that have ended long ago, in seconds. */
const MAINTAIN_EVERY = 600;
/** Tries of a transaction that the database has rolled back because of others. */
const MOST_TRIES = 5;
/** Errors of PostgreSQL: serialization failure, deadlock. */
const ROLLED_BACK = ["40001", "40P01"];
/** Error of PostgreSQL: the role may not do it. */
const NOT_ALLOWED = "42501";
/** What pg-boss says where the schema is not as it needs it and it may not create it: it has no codes for these. */
const NOT_AS_NEEDED: Record<string, string> = {
  "pg-boss is not installed": "is not in the database, or lacks the tables of pg-boss",
  "pg-boss database requires migrations": "has the tables of another version of pg-boss than this process",
};
/** How often to look whether indexes are there, in milliseconds. */
const LOOK_EVERY = 100;
/** Errors of PostgreSQL: there is no such table, schema, function, type. */
const MISSING = ["42P01", "3F000", "42883", "42704"];

export class Database {
  readonly boss: PgBoss;
  /** Of the server; undefined: the database is embedded. */
  readonly url: string | undefined;
  readonly schema: string;
  /** The schema as statements name it, which may be a word of SQL's own, such as "user". */
  readonly schemaInSql: string;
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
    this.schemaInSql = quoted(schema);
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
    const { url, directory, schema, createSchema } = options;
    const other = otherThanNode();
    if (other !== undefined) throw new Error(`heddle/cluster runs on Node 20.19 and newer; this is ${other}`);
    const { PgBoss, fromPglite } = await optional("pg-boss", "pg-boss@12", () => import("pg-boss"));
    // On Node 20, npm installs pg-boss 10 unless it is told which: that one has none of what is needed here.
    if (typeof PgBoss?.prototype?.resolveFlow !== "function") {
      throw new Error("this needs pg-boss 12.38 or newer, and an older one is installed: npm install pg-boss@12");
    }
    const common: ConstructorOptions = {
      schema: quoted(schema),
      schedule: false,
      migrate: createSchema,
      // Only the owner of the tables may.
      reindex: createSchema,
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
      boss = new PgBoss({ ...common, ...EMBEDDED, backend: "pglite", db: fromPglite(embedded) });
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
      const message = messageOf(error);
      if (message in NOT_AS_NEEDED) throw database.schemaError(NOT_AS_NEEDED[message], error);
      cannotOpen(error);
    }
    return database;
  }

  /** Whether it has been, or is being, closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether all who use it are in this process. */
  get embedded(): boolean {
    return this.#embedded !== undefined;
  }

  /**
   * Runs one statement.
   *
   * @throws ClusterSchemaError; whatever else the database does
   */
  async query<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    try {
      const { rows } = await this.boss.getDb().executeSql(text, values);
      return rows as Row[];
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** In place of what the database says when it lacks the schema, or part of it, an error that says what to do. */
  explain<E>(error: E): E | ClusterSchemaError {
    const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
    if (MISSING.includes(String(code ?? cause?.code))) {
      return this.schemaError("is not in the database, or lacks tables that a cluster needs", error);
    }
    const queue = isInstance(error, Error) ? /^Queue jobs\/(.*) does not exist$/.exec(error.message)?.[1] : undefined;
    if (queue === undefined) return error;
    return this.schemaError(`has no queue for the jobs of module ${queue}`, error);
  }

  /** @param what what is the matter with the schema, such as "has no tables" */
  schemaError(what: string, cause?: unknown): ClusterSchemaError {
    return new ClusterSchemaError(this.schema, `schema "${this.schema}" ${what}`, { cause });
  }

  /** Waits until the indexes are there that newer versions of pg-boss add to tables: it builds these while others use them. */
  async indexed(): Promise<void> {
    const isUnderWay = ({ status }: { status: string }) => status === "pending" || status === "in_progress";
    while ((await this.boss.getBamStatus()).some(isUnderWay)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
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
        if (tries < MOST_TRIES && ROLLED_BACK.includes(String((error as { code?: unknown }).code))) continue;
        throw this.explain(error);
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

function quoted(name: string): string {
  return `"${name}"`;
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
  const isAllowed = (error as { code?: unknown }).code !== NOT_ALLOWED;
  const hint = isAllowed ? "is it running, and is url right?" : "has the role the grants that docs/cluster.md lists?";
  throw new Error(`cannot open the database: ${messageOf(error)}; ${hint}`, { cause: error });
}

/** Also of an error for each address that was tried, which has no message of its own. */
function messageOf(error: unknown): string {
  if (isInstance(error, AggregateError)) return error.errors.map(messageOf).join("; ");
  if (isInstance(error, Error)) return error.message;
  return String((error as { message?: unknown } | null)?.message ?? error);
}
