/** Serves what `vite build` has made, opens it in Chromium, and prints what the page prints until all cases have run. */
import { chromium } from "playwright-core";
import { preview } from "vite";

const server = await preview({ preview: { port: 0 }, logLevel: "error" });
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
