/** A line of a chart. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface ChartOptions {
  readonly title: string;
  readonly note: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 380;
const MARGIN = { left: 64, right: 170, top: 48, bottom: 64 };
const COLOURS = ["#1d4ed8", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#be185d"];

/** Lines over numbers, as an SVG picture. */
export function lineChart({ title, note, xLabel, yLabel, series }: ChartOptions): string {
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(([x]) => x);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const top = niceCeiling(Math.max(...all.map(([, y]) => y)));
  const xOf = (x: number) =>
    MARGIN.left + ((WIDTH - MARGIN.left - MARGIN.right) * (x - left)) / (right - left || 1);
  const yOf = (y: number) =>
    HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * y) / top;
  const rows = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = yOf(share * top);
    return `<line x1="${MARGIN.left}" y1="${y}" x2="${WIDTH - MARGIN.right}" y2="${y}" stroke="#e5e7eb"/><text x="${MARGIN.left - 8}" y="${y + 4}" text-anchor="end">${number(share * top)}</text>`;
  });
  const ticks = tickValues(left, right).map(
    (x) =>
      `<text x="${number(xOf(x))}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${number(x)}</text>`,
  );
  const ends = spread(series.map(({ points }) => yOf(points.at(-1)?.[1] ?? 0)));
  const lines = series.map(({ name, points }, n) => {
    const path = points.map(([x, y]) => `${number(xOf(x))},${number(yOf(y))}`).join(" ");
    const colour = COLOURS[n % COLOURS.length];
    return `<g fill="${colour}"><polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/><text x="${WIDTH - MARGIN.right + 10}" y="${ends[n]! + 4}">${name}</text></g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12">
<title>${title}</title>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#fff"/>
<g fill="#374151"><text x="20" y="26" font-size="14" font-weight="600">${title}</text>
${rows.join("\n")}
${ticks.join("\n")}
<text x="${MARGIN.left}" y="${MARGIN.top - 8}" fill="#6b7280">${yLabel}</text>
<text x="${WIDTH - MARGIN.right}" y="${HEIGHT - MARGIN.bottom + 36}" fill="#6b7280" text-anchor="end">${xLabel}</text>
<text x="20" y="${HEIGHT - 12}" fill="#6b7280">${note}</text></g>
${lines.join("\n")}
</svg>
`;
}

function tickValues(left: number, right: number): number[] {
  const step = niceCeiling((right - left) / 8);
  const ticks: number[] = [];
  for (let x = Math.ceil(left / step) * step; x <= right; x += step) ticks.push(x);
  return ticks;
}

/** 1, 2, 2.5, 5 or 10 times a power of ten, at least `value`. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}

/** Moves labels apart that would lie on each other. */
function spread(ys: readonly number[]): number[] {
  const order = ys.map((y, n) => ({ y, n })).sort((a, b) => a.y - b.y);
  const moved = [...ys];
  let last = Number.NEGATIVE_INFINITY;
  for (const { y, n } of order) {
    moved[n] = Math.max(y, last + 15);
    last = moved[n]!;
  }
  return moved;
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}
