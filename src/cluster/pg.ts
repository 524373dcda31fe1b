/** The driver of PostgreSQL: the one that pg-boss has installed, so that users need not install another. */
import type { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import type { Socket } from "node:net";

export interface Result {
  // biome-ignore lint/suspicious/noExplicitAny: as pg-boss has it, who asks for rows knows what they are
  rows: any[];
}

export interface ClientOptions {
  connectionString: string;
  application_name?: string;
  stream?: Socket;
  keepAlive?: boolean;
  keepAliveInitialDelayMillis?: number;
  connectionTimeoutMillis?: number;
  query_timeout?: number;
}

export interface Client extends EventEmitter {
  connect(): Promise<unknown>;
  query(text: string, values?: unknown[]): Promise<Result>;
  /** Closes the connection, at once where a statement is not answered yet. */
  end(): Promise<void>;
}

/** @param error why the connection is not to be used again */
type Release = (error?: unknown) => void;

export interface Pool<C> extends EventEmitter {
  connect(): Promise<C & { release: Release }>;
  /** Settles when all connections have been released. */
  end(): Promise<void>;
}

export interface PoolOptions<C> extends ClientOptions {
  Client: new (options: ClientOptions) => C;
  /** Done before a new connection is given to anybody. */
  onConnect(client: C): Promise<void>;
}

/** What of pg is used here: its types are a package of their own. */
export interface Pg {
  readonly Client: new (options: ClientOptions) => Client;
  readonly Pool: new <C extends Client>(options: PoolOptions<C>) => Pool<C>;
}

/** Where pg is: found from pg-boss, as package managers need not let anybody else have it. */
export function addressOfPg(): string {
  return createRequire(createRequire(import.meta.url).resolve("pg-boss")).resolve("pg");
}

/** @param address as `addressOfPg` gives it */
export function loadPg(address: string): Pg {
  return createRequire(import.meta.url)(address);
}

/** On all connections, so that what vanished while nothing was said is noticed: after 5 seconds, and the system's 10 tries. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 5000 };
