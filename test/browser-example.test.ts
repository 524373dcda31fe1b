/** examples/browser in Chromium: as `npm run example:browser` serves it, and as Vite builds it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { build, createServer, type PreviewServer, preview, type ViteDevServer } from "vite";
import { launch, NO_CHROMIUM } from "./support/chromium.js";
import { ROOT } from "./support/documents.js";
import { HANGS, PATIENCE } from "./support/hangs.js";
import { ONLY_LONG } from "./support/long.js";

const root = `${ROOT}examples/browser`;
const settings = { root, logLevel: "error", server: { port: 0 }, preview: { port: 0 } } as const;

/** Opens the example. @returns the page, and what went wrong on it so far */
async function open(browser: Browser, server: ViteDevServer | PreviewServer): Promise<[Page, string[]]> {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("console", (message) => {
    if (/error|warning/.test(message.type())) errors.push(message.text());
  });
  await page.goto(server.resolvedUrls!.local[0]);
  return [page, errors];
}

async function shows(page: Page, text: RegExp): Promise<void> {
  await page.locator("#rate").filter({ hasText: text }).waitFor();
}

/** How many colors a part of a canvas has. */
function colorsOf(page: Page, canvas: string, from = 0, to = 1): Promise<number> {
  return page.evaluate(
    ([canvas, from, to]) => {
      const drawn = document.querySelector<HTMLCanvasElement>(canvas)!;
      const { width, height } = drawn;
      // To read of a canvas itself would change how the browser keeps it.
      const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
      context.drawImage(drawn, 0, 0);
      const { data } = context.getImageData(0, from * height, width, (to - from) * height);
      return new Set(new Uint32Array(data.buffer)).size;
    },
    [canvas, from, to] as const,
  );
}

const COMPARED = /^\d+\.\d frames a second: \d+\.\d\d times as fast as one thread \(\d+\.\d\)$/;

describe("the example for browsers", { skip: NO_CHROMIUM || ONLY_LONG.skip }, () => {
  let browser: Browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  test("the script serves its folder", () => {
    const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
    assert.match(scripts["example:browser"], / && vite examples\/browser$/);
  });

  const ways = {
    served: async () => (await createServer(settings)).listen(),
    built: async () => {
      await build(settings);
      return preview(settings);
    },
  };
  for (const [name, serve] of Object.entries(ways)) {
    test(`${name}: it renders, with as many threads as one likes, on any screen`, HANGS, async () => {
      const server = await serve();
      const [page, errors] = await open(browser, server);
      const slider = page.locator("#threads");
      await shows(page, COMPARED);
      assert.ok((await colorsOf(page, "#picture")) > 1000);
      // Each thread has run something.
      assert.ok((await colorsOf(page, "#timeline", 0, 0.5 / Number(await slider.inputValue()))) > 2);
      assert.ok((await colorsOf(page, "#timeline", 1 - 0.5 / Number(await slider.inputValue()))) > 2);

      await slider.fill("1");
      await shows(page, /^\d+\.\d frames a second$/);
      assert.equal(page.workers().length, 1);
      await slider.fill("2");
      await shows(page, COMPARED);
      assert.equal(page.workers().length, 2);

      await page.reload();
      await page.setViewportSize({ width: 375, height: 700 });
      await shows(page, COMPARED);
      assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 375);
      assert.deepEqual(errors, []);
      await page.close();
      await server.close();
    });
  }

  test("without the headers, the page says what is missing", HANGS, async () => {
    const server = await ways.served();
    const page = await browser.newPage();
    await page.route("**/*", async (route) => {
      const response = await route.fetch();
      const headers = Object.entries(response.headers()).filter(([name]) => !name.startsWith("cross-origin-"));
      await route.fulfill({ response, headers: Object.fromEntries(headers) });
    });
    await page.goto(server.resolvedUrls!.local[0]);
    await shows(page, /Cross-Origin-Opener-Policy: same-origin[\s\S]*Cross-Origin-Embedder-Policy: require-corp/);
    await page.close();
    await server.close();
  });
});
