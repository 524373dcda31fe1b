/** Stands between a client and the server, and does to their connections what networks do. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/**
 * `drops`: both ends are told. `stalls`: nothing gets through for a while, then all of it. `swallows`: what is sent is lost, and
 * then both ends are told. `halfCloses`: one end is told, the other is not. `delays`: each message takes longer, for good.
 */
export const PROXY_FAULTS = ["drops", "stalls", "swallows", "halfCloses", "delays"] as const;
export type ProxyFault = (typeof PROXY_FAULTS)[number];

export class LossyProxy {
  readonly url: string;
  readonly #server: Server;
  readonly #links: Set<Link>;

  /** @param url of the server */
  static async start(url: string): Promise<LossyProxy> {
    const there = new URL(url);
    const links = new Set<Link>();
    const server = createServer((client) => {
      const link = new Link(client, connect(Number(there.port || 5432), there.hostname), () => links.delete(link));
      links.add(link);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const here = new URL(url);
    here.hostname = "127.0.0.1";
    here.port = String((server.address() as AddressInfo).port);
    return new LossyProxy(here.href, server, links);
  }

  private constructor(url: string, server: Server, links: Set<Link>) {
    this.url = url;
    this.#server = server;
    this.#links = links;
  }

  /**
   * Does this to present connections.
   *
   * @param pick which of so many, or undefined: all of them
   * @returns settles once it is over, after so many milliseconds; and when the client knows
   */
  async disturb(fault: ProxyFault, pick: ((count: number) => number) | undefined, milliseconds: number): Promise<void> {
    const all = [...this.#links];
    const links = pick === undefined || all.length === 0 ? all : [all[pick(all.length)]];
    const towardsClient = milliseconds % 2 < 1;
    for (const link of links) link.disturb(fault, milliseconds, towardsClient);
    if (fault !== "drops") await delay(milliseconds);
    for (const link of links) link.relieve(fault);
    // Who is not told has to find out.
    await Promise.all(links.map((link) => (fault === "halfCloses" ? link.left : undefined)));
  }

  /** Ends what is left of connections that only one end knows to be dead. */
  heal(): void {
    for (const link of this.#links) link.heal();
  }

  close(): void {
    this.#server.close();
    for (const link of this.#links) link.end();
  }
}

/** A connection through a proxy. */
class Link {
  /** Settles when the client has no such connection any more. */
  readonly left: Promise<unknown>;
  readonly #client: Socket;
  readonly #upstream: Socket;
  #delay = 0;
  #swallows = false;
  /** One end does not know of the other's end. */
  #isHalf = false;

  constructor(client: Socket, upstream: Socket, onEnd: () => void) {
    this.#client = client;
    this.#upstream = upstream;
    this.left = new Promise((resolve) => client.once("close", resolve));
    for (const [end, other] of [[client, upstream] as const, [upstream, client] as const]) {
      end.setNoDelay(true);
      end.on("error", () => {});
      end.on("data", (data) => {
        if (!this.#swallows) this.#pass(() => other.write(data));
      });
      end.on("close", () => {
        if (!this.#isHalf) this.#pass(() => other.destroy());
        if (client.destroyed && upstream.destroyed) onEnd();
      });
    }
  }

  #pass(action: () => void): void {
    if (this.#delay === 0) action();
    else setTimeout(action, this.#delay);
  }

  disturb(fault: ProxyFault, milliseconds: number, towardsClient: boolean): void {
    if (fault === "drops") this.end();
    if (fault === "swallows") this.#swallows = true;
    if (fault === "delays") this.#delay = Math.max(this.#delay, milliseconds / 100);
    if (fault === "stalls") {
      this.#client.pause();
      this.#upstream.pause();
    }
    if (fault === "halfCloses") {
      this.#isHalf = true;
      this.#swallows = true;
      (towardsClient ? this.#client : this.#upstream).destroy();
    }
  }

  relieve(fault: ProxyFault): void {
    if (fault === "swallows") this.end();
    if (fault === "stalls") {
      this.#client.resume();
      this.#upstream.resume();
    }
    // The server finds out, for which real ones have keepalives; the client has to by itself.
    if (fault === "halfCloses") this.#upstream.destroy();
    if (this.#isHalf && this.#client.destroyed) this.end();
  }

  heal(): void {
    if (this.#isHalf) this.end();
  }

  end(): void {
    this.#isHalf = false;
    this.#client.destroy();
    this.#upstream.destroy();
  }
}
