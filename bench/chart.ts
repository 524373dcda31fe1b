/** `chart.js IN.json OUT.svg`: draws what `npm run bench -- --json IN.json` measured, in nanoseconds on a log scale. */
import { readFileSync, writeFileSync } from "node:fs";
import { HEDDLE, headline, type Report } from "./report.js";
import { median } from "./rows.js";

/** The rows that peers share, by the names that the picture gives them. */
const SHOWN: Readonly<Record<string, string>> = {
  independent: "1M independent jobs",
  "fork-join": "fork–join, fib(27)",
  "chain, built and run": "chain of 100,000",
  "wavefront, built and run": "wavefront, 500×500",
  "fan, built and run": "fan-out and fan-in, 100,000",
  "random-dag, built and run": "random graph of 100,000",
  "awaited, one after the other": "200,000 in flight, awaited",
  "round trip, hot, p50": "one awaited, round trip",
};

const FAMILIES = [
  { name: HEDDLE, colour: "#1a7f5a", members: [HEDDLE] },
  { name: "native (C++)", colour: "#4a6fa5", members: ["oneTBB", "OpenMP"] },
  { name: "thread pools of npm", colour: "#c0722a", members: ["Piscina", "Tinypool", "workerpool", "Poolifier"] },
] as const;

const NANOSECONDS: Readonly<Record<string, number>> = { "ns/job": 1, µs: 1000 };

const WIDTH = 900;
const LEFT = 290;
const RIGHT = 810;
const TOP = 92;
const LINE = 17;
const GAP = 15;
const INK = "#1f2328";
const FAINT = "#656d76";
const GRID = "#d8dee4";
/** Keeps the words readable where they cross a line. */
const HALO = 'stroke="#ffffff" stroke-width="3" paint-order="stroke"';

interface Bar {
  readonly subject: string;
  readonly colour: string;
  readonly ns: number;
}

interface Section {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** The workloads that at least one peer shares, heddle first in each. */
function sections({ results }: Report): Section[] {
  const all = Object.entries(SHOWN).map(([name, title]) => {
    const bars = FAMILIES.flatMap(({ colour, members }) =>
      members.flatMap((subject) => {
        const found = results.find((result) => result.name === name && result.subject === subject);
        return found === undefined ? [] : [{ subject, colour, ns: median(found.samples) * NANOSECONDS[found.unit] }];
      }),
    );
    return { title, bars };
  });
  return all.filter(({ bars }) => bars.length > 1);
}

function inWords(ns: number): string {
  const short = (value: number) => value.toLocaleString("en", { maximumSignificantDigits: value < 100 ? 2 : 3 });
  if (ns < 1000) return `${short(ns)} ns`;
  return ns < 1e6 ? `${short(ns / 1000)} µs` : `${short(ns / 1e6)} ms`;
}

function draw(report: Report): string {
  const shown = sections(report);
  if (shown.length === 0) throw new Error("nothing that heddle shares with a peer was measured");
  const all = shown.flatMap(({ bars }) => bars.map(({ ns }) => Math.log10(ns)));
  const [low, high] = [Math.floor(Math.min(...all) - 0.1), Math.ceil(Math.max(...all))];
  const x = (power: number) => LEFT + ((power - low) / (high - low)) * (RIGHT - LEFT);
  const parts: string[] = [];
  let y = TOP;
  for (const { title, bars } of shown) {
    parts.push(text(18, y + 12, title, `font-weight="600"`));
    for (const { subject, colour, ns } of bars) {
      const end = x(Math.log10(ns)).toFixed(1);
      const weight = subject === HEDDLE ? ` font-weight="600"` : "";
      parts.push(text(LEFT - 8, y + 12, subject, `text-anchor="end" fill="${colour}"${weight}`));
      parts.push(`<rect x="${LEFT}" y="${y + 2}" width="${(+end - LEFT).toFixed(1)}" height="12" fill="${colour}"/>`);
      parts.push(text(+end + 6, y + 12, inWords(ns), `font-size="12" ${HALO}${weight}`));
      y += LINE;
    }
    y += GAP;
  }
  const bottom = y - GAP + 6;
  const powers = Array.from({ length: high - low + 1 }, (_, k) => low + k);
  const grid = powers.map((power) => {
    const at = x(power).toFixed(1);
    const stroke = power === low ? FAINT : GRID;
    const line = `<line x1="${at}" y1="${TOP - 6}" x2="${at}" y2="${bottom}" stroke="${stroke}"/>`;
    return line + text(+at, bottom + 16, inWords(10 ** power), `text-anchor="middle" fill="${FAINT}" font-size="12"`);
  });
  const height = bottom + 46;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13" fill="${INK}">`,
    `<title>Time per job, heddle and its peers</title>`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff"/>`,
    text(18, 30, "Time per job, empty jobs; shorter is better", `font-size="17" font-weight="600"`),
    text(18, 50, `log scale; medians; ${headline(report)}`, `font-size="12" fill="${FAINT}"`),
    legend(),
    ...grid,
    ...parts,
    text(18, height - 10, NOTE, `font-size="11" fill="${FAINT}"`),
    "</svg>\n",
  ].join("\n");
}

const NOTE = "Graphs are built and run; the pools run them at a tenth of the size or less, with promises in between.";

function legend(): string {
  let x = 18;
  return FAMILIES.map(({ name, colour }) => {
    const entry = `<rect x="${x}" y="62" width="12" height="12" fill="${colour}"/>${text(x + 18, 72.5, name, "")}`;
    x += 44 + name.length * 7;
    return entry;
  }).join("\n");
}

function text(x: number, y: number, words: string, style: string): string {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" ${style}>${safe}</text>`;
}

const [input, output] = process.argv.slice(2);
if (output === undefined) {
  console.error("usage: node build/bench/chart.js IN.json OUT.svg");
  process.exitCode = 1;
} else {
  writeFileSync(output, draw(JSON.parse(readFileSync(input, "utf8")) as Report));
}
