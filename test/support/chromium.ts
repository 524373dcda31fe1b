/** A page in Chromium, with heddle's build for browsers beside it as it is installed: no bundler, no tool. */
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";

const EXECUTABLE = process.env.HEDDLE_CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no test in a browser, or false. */
export const NO_CHROMIUM = existsSync(EXECUTABLE) ? false : `there is no ${EXECUTABLE}; HEDDLE_CHROMIUM names another`;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const FOLDERS = { "/heddle/": join(root, "dist", "browser"), "/": join(root, "test", "browser") };
const PAGE = "<!doctype html><title>heddle</title>";
/** With which a page has shared memory. */
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Serves the build and test/browser; below `/plain/` without the headers of isolation. */
function serve(): Promise<Server> {
  const server = createServer(({ url = "/" }, answer) => {
    const plain = url.startsWith("/plain/");
    const path = normalize(new URL(url, "http://localhost").pathname.replace(/^\/plain/, ""));
    const [prefix, folder] = Object.entries(FOLDERS).find(([prefix]) => path.startsWith(prefix))!;
    const file = join(folder, path.slice(prefix.length));
    const headers = plain ? {} : ISOLATED;
    if (path === "/") answer.writeHead(200, { ...headers, "content-type": "text/html" }).end(PAGE);
    else if (!existsSync(file)) answer.writeHead(404).end();
    else answer.writeHead(200, { ...headers, "content-type": "text/javascript" }).end(readFileSync(file));
  });
  return new Promise((resolve) => {
    server.listen(0, "localhost", () => resolve(server));
  });
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
}

export interface PageOptions {
  /** Without the headers of isolation. */
  readonly plain?: boolean;
  /** A script that is run before all others. */
  readonly before?: string;
}

/** One browser and one server, for all pages of a test file. */
export class Pages {
  #server!: Server;
  #browser!: Browser;

  async open(): Promise<void> {
    this.#server = await serve();
    this.#browser = await launch();
  }

  async close(): Promise<void> {
    await this.#browser?.close();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  async page({ plain = false, before }: PageOptions = {}): Promise<Page> {
    const page = await this.#browser.newPage();
    if (before !== undefined) await page.addInitScript(before);
    const { port } = this.#server.address() as AddressInfo;
    await page.goto(`http://localhost:${port}${plain ? "/plain/" : "/"}`);
    return page;
  }
}
