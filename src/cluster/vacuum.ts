/**
 * Frees the room of old versions of rows on the embedded database, now and then: a server does so by itself, but has processes
 * for it.
 */
import type { Database } from "./database.js";
import { Rounds } from "./rounds.js";

/** How often to look, in milliseconds. */
const LOOK_EVERY = 60_000;
/** Tables with more old rows than this, and than this share of the others: about as a server's autovacuum sees it. */
const MANY = 1000;
const SHARE = 0.2;

export class Vacuum {
  readonly #database: Database;
  readonly #rounds: Rounds;

  /** @param every in milliseconds */
  constructor(database: Database, report: (error: Error) => void, every = LOOK_EVERY) {
    this.#database = database;
    this.#rounds = new Rounds(every, () => this.#look(), report);
  }

  async close(): Promise<void> {
    await this.#rounds.close();
  }

  async #look(): Promise<void> {
    const tables = await this.#database.query<{ name: string }>(
      `SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r'
      AND pg_stat_get_dead_tuples(oid) > ${MANY} + ${SHARE} * pg_stat_get_live_tuples(oid)`,
      [this.#database.schemaInSql],
    );
    // This thread waits for each statement: between them, others have their turn.
    for (const { name } of tables) {
      if (this.#rounds.closed) return;
      await this.#database.query(`VACUUM ${name}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
