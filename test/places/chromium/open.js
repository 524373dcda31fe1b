/**
 * Serves what `vite build` has made, or with `dev` the sources, opens the page in Chromium, and prints what it prints until all
 * cases have run.
 */
import { chromium } from "playwright-core";
import { createServer, preview } from "vite";

const settings = { logLevel: "error", server: { port: 0 }, preview: { port: 0 } };
const server = process.argv[2] === "dev" ? await createServer(settings) : await preview(settings);
if (process.argv[2] === "dev") await server.listen();
const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const page = await browser.newPage();
page.on("console", (message) => console.log(message.text()));
page.on("pageerror", (error) => console.log(error.stack));
const limit = { timeout: 120_000 };
const over = Promise.race([
  page.waitForEvent("console", { ...limit, predicate: (message) => /cases passed/.test(message.text()) }),
  page.waitForEvent("pageerror", limit),
]);
await page.goto(server.resolvedUrls.local[0]);
await over;
await browser.close();
await server.close();
