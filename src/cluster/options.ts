/** What `Cluster.connect` is given, checked. */
import { checkModules } from "../api/modules.js";
import { checkWhole } from "../api/options.js";
import type { Addressed } from "./functions.js";

/** Options of `Cluster.connect`. */
export interface ClusterOptions {
  /**
   * The modules whose exported functions are jobs: URLs, or absolute paths. A cluster knows each by its file's name. Where the caller's
   * import of one is another instance than heddle's, a pair of the URL and that import.
   */
  modules: readonly (URL | string | readonly [URL | string, object])[];
  /**
   * The PostgreSQL database, version 13 or newer, such as "postgres://user:password@host:5432/database". Without it,
   * the database is embedded: then everything runs in this process, which needs @electric-sql/pglite.
   */
  url?: string;
  /** Where the embedded database keeps its files; without it, it is in memory and ends with the process. */
  directory?: string;
  /** The schema that everything is kept in, by default "heddle": lower-case letters, digits and "_". */
  schema?: string;
  /**
   * Whether to create the schema and what is in it where it is missing or older, by default true. With false, `heddle migrate` (or
   * `Cluster.migrate`) must have done so, and the role of the connection needs no more than the grants that docs/cluster.md lists.
   */
  createSchema?: boolean;
  /**
   * The most bytes that the arguments of a job, or its result, may take, 1 to 67,108,864. It is kept in the database for all
   * who use the cluster: whoever gives it sets it for them, and whoever does not uses what is kept, at first 1,048,576.
   */
  maxValueBytes?: number;
  /**
   * For how long runs are kept after they have ended: such as "90s", "30m", "12h", "7d" or, as a number, milliseconds; 1
   * second to 10,000 days. The workers of this process delete them then. Without it, they delete none.
   */
  keep?: string | number;
}

export interface CheckedClusterOptions {
  readonly modules: readonly Addressed[];
  readonly url: string | undefined;
  readonly directory: string | undefined;
  readonly schema: string;
  readonly createSchema: boolean;
  /** Undefined: what is kept in the database counts. */
  readonly maxValueBytes: number | undefined;
  /** In milliseconds. */
  readonly keep: number | undefined;
}

const KNOWN = ["modules", "url", "directory", "schema", "createSchema", "maxValueBytes", "keep"];
const MOST_BYTES = 2 ** 26;
/** As pg-boss allows it. */
const LONGEST_SCHEMA = 50;

/** @throws TypeError, RangeError naming the option, what was wrong and what to do */
export function checkClusterOptions(options: ClusterOptions): CheckedClusterOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError('Cluster.connect needs options: { modules: [new URL("./work.js", import.meta.url)] }');
  }
  for (const key of Object.keys(options)) {
    if (!KNOWN.includes(key)) throw new TypeError(`a cluster has no option "${key}"; it has ${KNOWN.join(", ")}`);
  }
  const { url, directory, schema = "heddle", createSchema = true, maxValueBytes, keep: given } = options;
  if (url !== undefined) checkUrl(url);
  if (directory !== undefined && (typeof directory !== "string" || directory === "")) {
    throw new TypeError('directory must be the path of a folder, such as "./runs"');
  }
  if (url !== undefined && directory !== undefined) {
    throw new TypeError("give either url, for a PostgreSQL server, or directory, for an embedded database, not both");
  }
  if (typeof schema !== "string" || !/^[a-z_][a-z0-9_]*$/.test(schema) || schema.length > LONGEST_SCHEMA) {
    throw new TypeError(
      `schema must be 1 to ${LONGEST_SCHEMA} lower-case letters, digits or "_", not ${JSON.stringify(schema)}`,
    );
  }
  if (typeof createSchema !== "boolean") throw new TypeError("createSchema must be true or false");
  if (maxValueBytes !== undefined) checkWhole("maxValueBytes", maxValueBytes, 1, MOST_BYTES);
  const modules = checkModules(options.modules) as readonly Addressed[];
  const keep = given === undefined ? undefined : checkKeep(given);
  return { modules, url, directory, schema, createSchema, maxValueBytes, keep };
}

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: 60 * SECOND, h: DAY / 24, d: DAY };
/** In milliseconds. */
const SHORTEST_KEPT = SECOND;
const LONGEST_KEPT = 10_000 * DAY;

/** @returns milliseconds */
function checkKeep(keep: unknown): number {
  const [, count, unit] = (typeof keep === "string" && /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(keep)) || [];
  const milliseconds = count === undefined ? keep : Number(count) * UNITS[unit];
  if (typeof milliseconds === "number" && milliseconds >= SHORTEST_KEPT && milliseconds <= LONGEST_KEPT) {
    return milliseconds;
  }
  const message = `keep must be a time such as "90s", "30m", "12h" or "7d", or milliseconds as a number, from 1 second to 10,000 days, not ${typeof keep === "string" ? JSON.stringify(keep) : String(keep)}`;
  throw typeof milliseconds === "number" ? new RangeError(message) : new TypeError(message);
}

function checkUrl(url: unknown): void {
  // It would end at a NUL, which no part of it can have.
  if (typeof url === "string" && /^postgres(ql)?:\/\//.test(url) && URL.canParse(url) && !/%00|\0/.test(url)) return;
  // Not the text itself, which may have a password.
  throw new TypeError(
    "url must be the address of a PostgreSQL database, such as postgres://user:password@host:5432/database",
  );
}
