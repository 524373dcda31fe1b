/**
 * A PostgreSQL server, whose connections are watched: a network may swallow what is sent, and nobody is told.
 *
 * How long a statement takes says nothing: one that is large, or waits for others, may rightly take minutes, and one that was
 * given up and begun again would only load the server more. So one connection, on which this listens, too, asks every few
 * seconds whether the server works at the statements that have no answer yet. One that it does not work at is lost: its
 * connection is dropped, and so are those that are idle, which may have been lost with it. When the server does not
 * answer that question, and can't be asked on a new connection either, all are dropped.
 *
 * A pooler in transaction mode gives each transaction any of its connections to the server. Then nothing is heard on a
 * channel, and nobody can tell which of the server's processes works at what: only whether the pooler answers is watched.
 *
 * Time is counted in turns of this thread's timer: while user code keeps it, answers are not read, but not lost either.
 */
import { Socket } from "node:net";
import type { Db } from "pg-boss";
import { Backoff } from "./backoff.js";
import { addressOfPg, type Client, type ClientOptions, KEEP_ALIVE, loadPg, type Pool, type Result } from "./pg.js";

/** The timer's turns, in milliseconds. The times below are in turns. */
const TURN = 1000;
/** How often to ask what the server works at. */
const ASK_EVERY = 3;
/** How long that may take, and to connect. */
const MOST_ASKING = 3;
const MOST_CONNECTING = 4;
/** For how long a statement has no answer before it is asked about. */
const ASKED_ABOUT = 2;
/** How often in a row the server must say that it does not work at a statement: its answer may be on its way. */
const DOUBTS = 2;
/** A large statement is on its way for longer: characters for each further doubt. */
const TEXT_FOR_DOUBT = 1_000_000;
/** How long to wait for a free connection of the pool, in milliseconds: all may be busy for long. */
const MOST_WAITING = 60_000;
/** How long the goodbye on connections may take, in milliseconds. */
const GOODBYE = 1000;

/**
 * On each connection: the server, too, notices within some seconds that the other side has vanished, lest its transaction keeps
 * others waiting. Then, who this connection is.
 */
const SET_UP = `SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 4;
  SET tcp_user_timeout = 15000; SET idle_in_transaction_session_timeout = 60000;
  SELECT pid, backend_start::text AS since FROM pg_stat_activity WHERE pid = pg_backend_pid()`;

const GIVEN = "unnest($1::int[], $2::timestamptz[]) WITH ORDINALITY AS g (pid, since, n)";
const SAME = "a.pid = g.pid AND a.backend_start = g.since";
/** Which of the given backends wait for this side: they have nothing to do, or it does not take their answer. */
const IDLE = `SELECT n::int FROM ${GIVEN} WHERE NOT EXISTS (SELECT FROM pg_stat_activity AS a
  WHERE ${SAME} AND coalesce(a.state NOT LIKE 'idle%', true) AND a.wait_event IS DISTINCT FROM 'ClientWrite')`;
/** Whether this connection still listens. */
const LISTENS = "SELECT channel FROM pg_listening_channels() AS channel WHERE channel = $1";
/** What lost connections have left: a transaction of theirs would keep others waiting. */
const END = `SELECT pg_terminate_backend(a.pid) FROM ${GIVEN} JOIN pg_stat_activity AS a ON ${SAME}`;

/** Names a connection on the server for good: its process's number, and when it began. */
interface Backend {
  readonly pid: number;
  readonly since: string;
}

interface Connection extends Client {
  readonly socket: Socket;
  backend: Backend | undefined;
  /** Why it can't be used any more. */
  lost: Error | undefined;
}

/** A statement, or a connection, that has no answer yet. */
interface Wait {
  readonly connection: Connection;
  turns: number;
  /** How many turns it may take; without end where the server is asked about it. */
  readonly most: number;
  /** How often in a row the server has said that it does not work at it, and how often is too often. */
  doubts: number;
  readonly mostDoubts: number;
  /** How much had been received when it was last asked about. */
  received: number;
}

export interface Listener {
  onNotification(payload: string): void;
  /** Notifications may have been missed. */
  onReconnect(): void;
}

export class Server implements Pick<Db, "executeSql"> {
  readonly #channel: string;
  readonly #report: (error: Error) => void;
  readonly #connect: () => Promise<Connection>;
  readonly #pool: Pool<Connection>;
  readonly #connections = new Set<Connection>();
  /** Those of the pool that nobody uses. */
  readonly #idle = new Set<Connection>();
  readonly #waits = new Set<Wait>();
  /** Left on the server by connections that were dropped. */
  #left: Backend[] = [];
  readonly #timer: NodeJS.Timeout;
  #listener: Listener | undefined;
  #watching: Promise<void> = Promise.resolve();
  /** Ends the watch's pause. */
  #wake: () => void = () => {};
  /** Each transaction may have another session. */
  #pooled = false;
  #unheardTold = false;
  #closed = false;

  /**
   * Connects.
   *
   * @param channel what to listen on
   * @param report called when connections are lost
   */
  static async open(url: string, channel: string, report: (error: Error) => void): Promise<Server> {
    const server = new Server(url, channel, report);
    try {
      const connection = await server.#listen();
      server.#watching = server.#watch(connection);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  private constructor(url: string, channel: string, report: (error: Error) => void) {
    this.#channel = channel;
    this.#report = report;
    const { Client, Pool } = loadPg(addressOfPg());
    const connections = this.#connections;
    const idle = this.#idle;
    const wait = (connection: Connection) => this.#wait(connection, MOST_CONNECTING);
    class Watched extends Client implements Connection {
      readonly socket: Socket;
      backend: Backend | undefined;
      lost: Error | undefined;
      constructor(options: ClientOptions) {
        // Its own, so that it can be dropped without a goodbye.
        const socket = new Socket();
        super({ ...options, stream: socket });
        this.socket = socket;
        // Whoever uses it is told by the statement.
        this.on("error", (error: Error) => {
          this.lost ??= error;
        });
        connections.add(this);
        socket.once("close", () => {
          connections.delete(this);
          idle.delete(this);
        });
        const connected = wait(this);
        this.once("connect", connected);
        socket.once("close", connected);
      }
    }
    const options: ClientOptions = { connectionString: url, application_name: "heddle", ...KEEP_ALIVE };
    this.#connect = async () => {
      const connection = new Watched(options);
      try {
        await connection.connect();
        await this.#setUp(connection);
      } catch (error) {
        connection.socket.destroy();
        throw error;
      }
      return connection;
    };
    this.#pool = new Pool<Connection>({
      ...options,
      connectionTimeoutMillis: MOST_WAITING,
      Client: Watched,
      onConnect: (connection) => this.#setUp(connection),
    });
    this.#pool.on("error", report);
    this.#timer = setInterval(() => this.#turn(), TURN);
  }

  /** Runs statements: several only where there are no values. */
  async executeSql(text: string, values?: unknown[]): Promise<Result> {
    return await this.#use((connection) => this.#run(connection, text, values));
  }

  /** Runs statements, of which either all take effect or, where one throws, none. */
  async transaction<T>(steps: (sql: Pick<Db, "executeSql">) => Promise<T>): Promise<T> {
    return await this.#use(async (connection) => {
      await this.#run(connection, "BEGIN");
      const result = await steps({ executeSql: (text, values) => this.#run(connection, text, values) });
      await this.#run(connection, "COMMIT");
      return result;
    });
  }

  /** Hears what others notify of, from now on. @returns how to end it */
  hear(listener: Listener): () => void {
    this.#listener = listener;
    listener.onReconnect();
    return () => {
      this.#listener = undefined;
    };
  }

  /** Closes the connections, once their statements have ended. */
  async close(): Promise<void> {
    await this.#pool.end();
    this.#closed = true;
    this.#wake();
    await this.#watching;
    clearInterval(this.#timer);
    const left = [...this.#connections];
    const late = setTimeout(() => {
      for (const { socket } of left) socket.destroy();
    }, GOODBYE);
    await Promise.all(left.map(({ socket }) => new Promise((resolve) => socket.once("close", resolve))));
    clearTimeout(late);
  }

  /** A connection on which something has failed is not used again: the server undoes what is left of it. */
  async #use<T>(act: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.connect();
    this.#idle.delete(connection);
    try {
      const result = await act(connection);
      this.#idle.add(connection);
      connection.release();
      return result;
    } catch (error) {
      connection.release(error);
      throw error;
    }
  }

  async #setUp(connection: Connection): Promise<void> {
    const results = (await this.#run(connection, SET_UP, undefined, MOST_ASKING)) as unknown as Result[];
    connection.backend = results.at(-1)!.rows[0];
    for (const { backend } of this.#connections) {
      if (backend !== connection.backend && backend?.pid === connection.backend?.pid) this.#isPooled();
    }
  }

  #isPooled(): void {
    if (this.#pooled) return;
    this.#pooled = true;
    this.#left = [];
  }

  /** Waits until somebody listens to the channel: by the next question, whoever has just connected listens to errors, too. */
  #tellUnheard(): void {
    if (this.#listener === undefined || this.#unheardTold) return;
    this.#unheardTold = true;
    this.#report(
      new Error(
        "the database's notifications don't arrive, as behind a pooler in transaction mode; it is asked every second instead",
      ),
    );
  }

  /** @param most how many turns it may take; by default, as long as the server works at it */
  async #run(connection: Connection, text: string, values?: unknown[], most?: number): Promise<Result> {
    const end = this.#wait(connection, most, lengthOf(text) + lengthOf(values));
    try {
      return await connection.query(text, values);
    } finally {
      end();
    }
  }

  /** Watches for an answer. @returns to be called when it is there */
  #wait(connection: Connection, most = Number.POSITIVE_INFINITY, length = 0): () => void {
    const wait: Wait = {
      connection,
      turns: 0,
      most,
      doubts: 0,
      mostDoubts: DOUBTS + Math.floor(length / TEXT_FOR_DOUBT),
      received: connection.socket.bytesRead,
    };
    this.#waits.add(wait);
    return () => this.#waits.delete(wait);
  }

  #turn(): void {
    for (const wait of [...this.#waits]) if (++wait.turns > wait.most) this.#drop(wait, silent(wait));
  }

  /** Drops its connection. */
  #drop({ connection }: Wait, error: Error): void {
    if (connection.backend !== undefined && !this.#pooled) this.#left.push(connection.backend);
    connection.socket.destroy(error);
  }

  /** Drops what may have been lost with another: connections that are idle. @param all also those that wait for an answer */
  #distrust(error: Error, all: boolean): void {
    if (all) for (const wait of this.#waits) if (wait.most === Number.POSITIVE_INFINITY) this.#drop(wait, error);
    for (const { socket } of this.#idle) socket.destroy(error);
  }

  /** A connection on which to listen, and to ask what the server works at. */
  async #listen(): Promise<Connection> {
    const connection = await this.#connect();
    connection.on("notification", ({ payload = "" }: { payload?: string }) => this.#listener?.onNotification(payload));
    connection.socket.once("close", () => this.#wake());
    await this.#run(connection, `LISTEN "${this.#channel}"`, undefined, MOST_ASKING);
    this.#listener?.onReconnect();
    return connection;
  }

  async #watch(first: Connection): Promise<void> {
    let connection: Connection | undefined = first;
    const backoff = new Backoff();
    while (!this.#closed) {
      try {
        connection ??= await this.#listen();
        await this.#ask(connection);
        backoff.reset();
        await this.#rest(ASK_EVERY * TURN);
      } catch (caught) {
        const error = connection?.lost ?? (caught as Error);
        this.#report(error);
        // That it takes no more connections is an answer, too.
        this.#distrust(error, connection === undefined && !("severity" in error));
        connection?.socket.destroy();
        // Was it this connection alone? A new one tells.
        if (connection === undefined) await this.#rest(backoff.next());
        connection = undefined;
      }
    }
    void connection?.end();
  }

  /** Drops connections with statements at which the server does not work. */
  async #ask(connection: Connection): Promise<void> {
    const { rows: listening } = await this.#run(connection, LISTENS, [this.#channel], MOST_ASKING);
    if (listening.length === 0) this.#isPooled();
    if (this.#pooled) return this.#tellUnheard();
    const ask = async (text: string, about: readonly Backend[]) => {
      const values = [about.map(({ pid }) => pid), about.map(({ since }) => since)];
      return (await this.#run(connection, text, values, MOST_ASKING)).rows;
    };
    const left = [...this.#left];
    if (left.length > 0) await ask(END, left);
    this.#left = this.#left.slice(left.length);
    const waits = [...this.#waits].filter(
      ({ most, turns, connection: { backend } }) =>
        most === Number.POSITIVE_INFINITY && turns >= ASKED_ABOUT && backend !== undefined,
    );
    const idle = new Set(
      (
        await ask(
          IDLE,
          waits.map(({ connection }) => connection.backend!),
        )
      ).map(({ n }) => waits[n - 1]),
    );
    for (const wait of waits) {
      const { bytesRead } = wait.connection.socket;
      wait.doubts = idle.has(wait) && bytesRead === wait.received ? wait.doubts + 1 : 0;
      wait.received = bytesRead;
      if (wait.doubts < wait.mostDoubts || !this.#waits.has(wait)) continue;
      const error = silent(wait);
      this.#drop(wait, error);
      this.#distrust(error, false);
    }
  }

  async #rest(milliseconds: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function silent({ turns }: Wait): Error {
  return new Error(`the database has not answered for ${(turns * TURN) / 1000} seconds: the connection was dropped`);
}

/** About how many characters a statement's values have. */
function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return Array.isArray(value) ? value.reduce<number>((sum, each) => sum + lengthOf(each), 0) : 0;
}
