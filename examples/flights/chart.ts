/** The chart, as SVG: delay by hour of day, and mean delay by distance. */
import { BIN_MILES, type Summary } from "./summary.js";

const WIDTH = 900;
const PANEL = 260;
const LEFT = 70;
const TOP = 60;
const GAP = 110;

interface Series {
  readonly label: string;
  readonly color: string;
  readonly values: readonly number[];
}

export function chart(summary: Summary): string {
  const hours = summary.hours;
  const count = summary.flights.toLocaleString("en");
  const byHour = panel(
    TOP,
    `Delay by hour of departure, ${count} flights`,
    "hour of day",
    hours.map((_, h) => String(h)),
    [
      { label: "99th percentile", color: "#c8553d", values: hours.map((hour) => hour.p99) },
      { label: "mean", color: "#2d6a8e", values: hours.map((hour) => hour.mean) },
      { label: "median", color: "#6aa84f", values: hours.map((hour) => hour.median) },
    ],
  );
  const labels = summary.distances.map((_, bin) => `${bin * BIN_MILES}+`);
  const byDistance = panel(TOP + PANEL + GAP, "Mean delay by distance", "distance in miles", labels, [
    { label: "mean", color: "#2d6a8e", values: summary.distances.map((bin) => bin.mean) },
  ]);
  const height = TOP + 2 * PANEL + GAP + 50;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${byHour}
${byDistance}
</svg>
`;
}

/** A step of 1, 2 or 5 times a power of ten that divides `range` into four parts or a few more. */
function tickStep(range: number): number {
  const power = 10 ** Math.floor(Math.log10(range / 4));
  return power * [5, 2, 1].find((factor) => factor * power * 4 <= range)!;
}

function panel(top: number, title: string, axis: string, labels: readonly string[], series: readonly Series[]): string {
  const values = series.flatMap((each) => each.values).filter(Number.isFinite);
  const low = Math.min(0, ...values);
  const high = Math.max(1, ...values);
  const y = (value: number) => top + PANEL - ((value - low) / (high - low)) * PANEL;
  const step = (WIDTH - LEFT - 20) / labels.length;
  const bar = (step * 0.8) / series.length;
  const lines: string[] = [`<text x="${LEFT}" y="${top - 28}" font-size="16" font-weight="bold">${title}</text>`];
  const middle = top + PANEL / 2;
  lines.push(
    `<text x="16" y="${middle}" text-anchor="middle" transform="rotate(-90 16 ${middle})">delay in minutes</text>`,
    `<text x="${LEFT + (WIDTH - LEFT - 20) / 2}" y="${top + PANEL + 38}" text-anchor="middle">${axis}</text>`,
  );
  const tick = tickStep(high - low);
  for (let k = Math.ceil(low / tick); k * tick <= high; k++) {
    const value = k * tick;
    lines.push(`<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>`);
    lines.push(`<text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(tick < 1 ? 1 : 0)}</text>`);
  }
  series.forEach((each, s) => {
    const x = LEFT + s * 130;
    lines.push(`<rect x="${x}" y="${top - 20}" width="10" height="10" fill="${each.color}"/>`);
    lines.push(`<text x="${x + 15}" y="${top - 11}">${each.label}</text>`);
    each.values.forEach((value, k) => {
      if (!Number.isFinite(value)) return;
      const from = Math.min(y(0), y(value));
      const size = Math.max(0.5, Math.abs(y(value) - y(0)));
      const at = LEFT + k * step + step * 0.1 + s * bar;
      lines.push(rectangle(at, from, bar, size, each.color));
    });
  });
  labels.forEach((label, k) => {
    lines.push(`<text x="${LEFT + (k + 0.5) * step}" y="${top + PANEL + 18}" text-anchor="middle">${label}</text>`);
  });
  return lines.join("\n");
}

function rectangle(x: number, y: number, width: number, height: number, color: string): string {
  const [a, b, c, d] = [x, y, width, height].map((value) => value.toFixed(1));
  return `<rect x="${a}" y="${b}" width="${c}" height="${d}" fill="${color}"/>`;
}
