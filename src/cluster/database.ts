/** The database: a PostgreSQL server, or an embedded one in this process; and pg-boss, whose queues are in it. */
import type { PGlite, Results } from "@electric-sql/pglite";
import type { ConstructorOptions, Db, PgBoss } from "pg-boss";
import { otherThanNode } from "../platform/node.js";
import { isInstance } from "../values/describe.js";
import { ClusterSchemaError } from "./errors.js";
import { lockDirectory } from "./lock.js";
import type { CheckedClusterOptions } from "./options.js";

/** Runs statements: in the open, or within a transaction. Also what pg-boss takes to run its own there. */
export type Sql = Pick<Db, "executeSql">;

/** How often pg-boss looks for lost workers' jobs, in seconds. */
const SUPERVISE_EVERY = 5;
/** How often it deletes jobs that have ended long ago, in seconds. */
const MAINTAIN_EVERY = 600;
/** Passed on to pg, in milliseconds: a server that has vanished must not be waited for for ever. */
const CONNECTION = {
  connectionTimeoutMillis: 10_000,
  query_timeout: 300_000,
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
};
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
/** What pg-boss says when its connection lasts, and what was to be heard on it is forgotten: by a pooler that gives it another session. */
const UNHEARD = "LISTEN/NOTIFY channel registration was lost";
/** How often to look whether indexes are there, in milliseconds. */
const LOOK_EVERY = 100;
/** Errors of PostgreSQL: there is no such table, schema, function, type. */
const MISSING = ["42P01", "3F000", "42883", "42704"];

export class Database {
  readonly boss: PgBoss;
  /** The schema as statements name it, which may be a word of SQL's own, such as "user". */
  readonly schemaInSql: string;
  readonly #schema: string;
  readonly #embedded: PGlite | undefined;
  readonly #unlock: () => void;
  #closed = false;
  #stopListening: () => Promise<void> = async () => {};

  private constructor(boss: PgBoss, schema: string, embedded: PGlite | undefined, unlock: () => void) {
    this.boss = boss;
    this.schemaInSql = quoted(schema);
    this.#schema = schema;
    this.#embedded = embedded;
    this.#unlock = unlock;
  }

  /**
   * Connects, and creates what is not there yet.
   *
   * @param report called with errors outside of any call, such as lost connections
   * @throws Error where a package or the server is missing, saying what to do
   */
  static async open(
    { url, directory, schema, createSchema }: CheckedClusterOptions,
    report: (error: Error) => void,
  ): Promise<Database> {
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
      boss = new PgBoss({ ...common, ...CONNECTION, connectionString: url });
    }
    const database = new Database(boss, schema, embedded, unlock);
    // Once it is being closed, statements of pg-boss's own that are cut off are no news.
    boss.on("error", (error: unknown) => {
      if (database.#closed) return;
      const message = messageOf(error);
      if (message !== UNHEARD) return report(isInstance(error, Error) ? error : new Error(message, { cause: error }));
      // It would be lost again and again.
      void database.#stopListening();
      report(
        new Error(
          "the database's notifications don't arrive, as behind a pooler in transaction mode; it is asked every second instead",
          { cause: error },
        ),
      );
    });
    try {
      await boss.start();
    } catch (error) {
      await database.close();
      const message = messageOf(error);
      if (message in NOT_AS_NEEDED) throw database.schemaError(NOT_AS_NEEDED[message], error);
      const isAllowed = (error as { code?: unknown }).code !== NOT_ALLOWED;
      const hint = isAllowed
        ? "is it running, and is url right?"
        : "has the role the grants that docs/cluster.md lists?";
      throw new Error(`cannot open the database: ${message}; ${hint}`, { cause: error });
    }
    return database;
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
    return new ClusterSchemaError(this.#schema, `schema "${this.#schema}" ${what}`, { cause });
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
    const transaction = await this.boss.getDb().beginTransaction!();
    try {
      const result = await steps(transaction.db);
      await transaction.commit();
      return result;
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
  }

  /**
   * Hears what others notify of.
   *
   * @param onReconnect called when it begins, and whenever something may have been missed
   * @returns how to end it
   */
  async listen(
    channel: string,
    onNotification: (payload: string) => void,
    onReconnect: () => void,
  ): Promise<() => Promise<void>> {
    const handle = await this.boss.getDb().listen!(channel, onNotification, onReconnect);
    this.#stopListening = () => handle.close();
    return this.#stopListening;
  }

  /** Closes the connections. Others go on with the jobs. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.boss.stop({ graceful: false }).catch(() => {});
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

/** Also of an error for each address that was tried, which has no message of its own. */
function messageOf(error: unknown): string {
  if (isInstance(error, AggregateError)) return error.errors.map(messageOf).join("; ");
  if (isInstance(error, Error)) return error.message;
  return String((error as { message?: unknown } | null)?.message ?? error);
}
