/** Stands between a client and its PostgreSQL server, as a network that loses what it is given. */
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export interface LossyProxy {
  readonly url: string;
  /** Cuts the next connection that commits, once that has taken effect: its answer is lost. */
  loseNextCommit(): void;
  /**
   * Swallows, from now on, what comes on connections, those that are made later included; `which` chooses of them by what the client
   * sends next. Nobody is told: the server's side stays open though the client's is closed.
   *
   * @returns how many connections it has swallowed from, how many of these the client has given up; and how to end it for new ones
   */
  swallow(which?: (sent: Buffer) => boolean): { swallowed(): number; givenUp(): number; end(): void };
  /** From now on, sends are late by so many milliseconds. */
  delay(milliseconds: number): void;
  /** The server's side of all connections says goodbye; the client's other direction stays open. */
  halfClose(): void;
}

export async function lossyProxy(t: TestContext, url: string): Promise<LossyProxy> {
  const there = new URL(url);
  let losing = false;
  let late = 0;
  let swallowing:
    | { which: ((sent: Buffer) => boolean) | undefined; lost: Set<Socket>; givenUp: Set<Socket> }
    | undefined;
  const clients = new Set<Socket>();
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: Number(there.port), host: there.hostname, allowHalfOpen: true });
    let cut = false;
    let lost = false;
    clients.add(client);
    open.add(client).add(upstream);
    /** Whether it is lost: once it is, all that comes later is, too. */
    const isLost = (sent?: Buffer) => {
      const now = swallowing;
      if (lost || now === undefined) return lost;
      if (now.which !== undefined && (sent === undefined || !now.which(sent))) return false;
      lost = true;
      now.lost.add(client);
      client.once("end", () => client.destroy());
      client.once("close", () => now.givenUp.add(client));
      return true;
    };
    const pass = (to: Socket, data: Buffer) => {
      if (late === 0) to.write(data);
      else setTimeout(() => to.write(data), late);
    };
    client.on("data", (data) => {
      if (isLost(data)) return;
      if (losing && data.includes("COMMIT")) {
        losing = false;
        cut = true;
      }
      pass(upstream, data);
    });
    upstream.on("data", (data) => {
      if (cut) client.destroy();
      else if (!isLost()) pass(client, data);
    });
    for (const [end, other] of [[client, upstream] as const, [upstream, client] as const]) {
      end.on("error", () => {});
      end.on("end", () => !lost && other.end());
      end.on("close", () => {
        clients.delete(end);
        open.delete(end);
        if (!lost) other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    for (const each of open) each.destroy();
  });
  const here = new URL(url);
  here.port = String((server.address() as { port: number }).port);
  return {
    url: here.href,
    loseNextCommit: () => {
      losing = true;
    },
    swallow: (which) => {
      const mine = { which, lost: new Set<Socket>(), givenUp: new Set<Socket>() };
      swallowing = mine;
      return {
        swallowed: () => mine.lost.size,
        givenUp: () => mine.givenUp.size,
        end: () => {
          swallowing = undefined;
        },
      };
    },
    delay: (milliseconds) => {
      late = milliseconds;
    },
    halfClose: () => {
      for (const client of clients) client.end();
    },
  };
}
