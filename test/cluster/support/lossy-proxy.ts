/** Stands between a client and its PostgreSQL server, and can lose the answer to a commit. */
import { connect, createServer } from "node:net";
import type { TestContext } from "node:test";

/** @returns the address of the proxy, and how to have it cut the next connection that commits, once that has taken effect */
export async function lossyProxy(t: TestContext, url: string): Promise<{ url: string; loseNextCommit(): void }> {
  const there = new URL(url);
  let losing = false;
  const server = createServer((client) => {
    const upstream = connect(Number(there.port), there.hostname);
    let cut = false;
    client.on("data", (data) => {
      if (losing && data.includes("COMMIT")) {
        losing = false;
        cut = true;
      }
      upstream.write(data);
    });
    upstream.on("data", (data) => (cut ? client.destroy() : client.write(data)));
    for (const [end, other] of [[client, upstream] as const, [upstream, client] as const]) {
      end.on("error", () => {});
      end.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const here = new URL(url);
  here.port = String((server.address() as { port: number }).port);
  return {
    url: here.href,
    loseNextCommit: () => {
      losing = true;
    },
  };
}
