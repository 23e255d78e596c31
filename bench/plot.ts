import type { Rows } from "./rows.ts";

const WIDTH = 720;
const HEIGHT = 400;
const MARGIN = { left: 70, right: 190, top: 46, bottom: 52 };
const MIN_MS = 0.05;
const MAX_MS = 200;
const MAX_MEGAPIXELS = 9;

const SERIES = [
  { topic: "png", coder: "sharp level 1", label: "PNG, sharp (level 1)", colour: "#c2410c" },
  { topic: "jpeg", coder: "sharp", label: "JPEG, sharp", colour: "#b45309" },
  { topic: "png", coder: "spliced", label: "PNG, spliced", colour: "#0f766e" },
  { topic: "jpeg", coder: "spliced", label: "JPEG, spliced", colour: "#1d4ed8" },
] as const;

/** Cost of a frame against its size, the mouth being the same, as an SVG picture. */
export function plotFrameCost(results: Readonly<Record<string, Rows>>, machine: string): string {
  const lines = SERIES.map(({ topic, coder, label, colour }) => {
    const points = (results[topic] ?? []).flatMap((row) => {
      const size = /^(\d+)x(\d+)$/.exec(String(row.what));
      if (!size || row.coder !== coder) return [];
      const megapixels = (Number(size[1]) * Number(size[2])) / 1e6;
      return [{ x: xOf(megapixels), y: yOf(Number(row["ms a frame"])), ms: row["ms a frame"] }];
    });
    const last = points.at(-1);
    if (!last) throw new Error(`nothing was measured for "${label}": run the topics png and jpeg`);
    const path = points.map(({ x, y }) => `${x},${y}`).join(" ");
    const dots = points.map(({ x, y }) => `<circle cx="${x}" cy="${y}" r="4"/>`).join("");
    return `<g fill="${colour}"><polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2.5"/>${dots}<text x="${last.x + 12}" y="${last.y + 4}">${label}: ${last.ms} ms</text></g>`;
  });
  const rows = [0.1, 1, 10, 100].map((ms) => {
    const y = yOf(ms);
    return `<line x1="${MARGIN.left}" y1="${y}" x2="${WIDTH - MARGIN.right}" y2="${y}" stroke="#e5e7eb"/><text x="${MARGIN.left - 8}" y="${y + 4}" text-anchor="end">${ms} ms</text>`;
  });
  const columns = [
    [0.9216, "720p"],
    [2.0736, "1080p"],
    [8.2944, "4K"],
  ] as const;
  const ticks = columns.map(
    ([megapixels, name]) =>
      `<text x="${xOf(megapixels)}" y="${HEIGHT - MARGIN.bottom + 20}" text-anchor="middle">${name}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12">
<title>What a frame costs, against its size</title>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#fff"/>
<g fill="#374151"><text x="20" y="26" font-size="14" font-weight="600">What a frame costs against its size, with a mouth of 200x200</text>
${rows.join("\n")}
${ticks.join("\n")}
<text x="20" y="${HEIGHT - 12}" fill="#6b7280">One core, ${machine}. Milliseconds on a logarithmic scale; lower is better.</text></g>
${lines.join("\n")}
</svg>
`;
}

function xOf(megapixels: number): number {
  const width = WIDTH - MARGIN.left - MARGIN.right;
  return Math.round(MARGIN.left + (width * megapixels) / MAX_MEGAPIXELS);
}

function yOf(ms: number): number {
  const height = HEIGHT - MARGIN.top - MARGIN.bottom;
  const share = Math.log(ms / MIN_MS) / Math.log(MAX_MS / MIN_MS);
  return Math.round(HEIGHT - MARGIN.bottom - height * share);
}
