/** A line of a chart. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

/** Where nothing was measured there is null, and a gap. */
export type Point = readonly [x: number, y: number | null];

/** A moment that a chart points out. */
export interface Mark {
  readonly x: number;
  readonly label: string;
}

export interface ChartOptions {
  readonly title: string;
  readonly note: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Where the vertical axis begins. Default 0; on a logarithmic one, a value that is needed. */
  readonly bottom?: number;
  /** Where it ends. Default: a round number beyond all values. */
  readonly top?: number;
  /** Default `linear`. */
  readonly xScale?: Scale;
  readonly yScale?: Scale;
  /** Vertical lines. Default none. */
  readonly marks?: readonly Mark[];
  /** Whether points are drawn as dots: where few were measured. Default false. */
  readonly isDotted?: boolean;
}

export type Scale = "linear" | "log";

const WIDTH = 720;
const HEIGHT = 380;
const MARGIN = { left: 64, right: 170, top: 48, bottom: 64 };
const COLOURS = ["#1d4ed8", "#c2410c", "#0f766e", "#7c3aed", "#b45309", "#be185d"];
const LABEL_HEIGHT = 15;

/** Lines over numbers, as an SVG picture. */
export function lineChart(options: ChartOptions): string {
  const { title, note, xLabel, yLabel, series, marks = [], isDotted = false } = options;
  const { xScale = "linear", yScale = "linear", bottom = 0 } = options;
  const all = series.flatMap(({ points }) => points);
  const xs = all.map(([x]) => x);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const highest = Math.max(...all.map(([, y]) => y ?? bottom));
  const top = options.top ?? (yScale === "log" ? highest * 1.2 : niceCeiling(highest));
  const xShare = shareOf(left, right, xScale);
  const yShare = shareOf(bottom, top, yScale);
  const xOf = (x: number) => MARGIN.left + (WIDTH - MARGIN.left - MARGIN.right) * xShare(x);
  const yOf = (y: number) =>
    HEIGHT - MARGIN.bottom - (HEIGHT - MARGIN.top - MARGIN.bottom) * yShare(y);
  const levels = yScale === "log" ? logTicks(bottom, top) : quarters(bottom, top);
  const rows = levels.map((value) => {
    const y = number(yOf(value));
    return `<line x1="${MARGIN.left}" y1="${y}" x2="${WIDTH - MARGIN.right}" y2="${y}" stroke="#e5e7eb"/><text x="${MARGIN.left - 8}" y="${number(yOf(value) + 4)}" text-anchor="end">${number(value)}</text>`;
  });
  const columns = xScale === "log" ? logTicks(left, right) : tickValues(left, right);
  const ticks = columns.map(
    (x) =>
      `<text x="${number(xOf(x))}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${number(x)}</text>`,
  );
  const ends = spread(
    series.map(({ points }) => yOf(points.findLast(([, y]) => y !== null)?.[1] ?? bottom)),
  );
  const lines = series.map(({ name, points }, n) => {
    const colour = COLOURS[n % COLOURS.length];
    const runs = runsOf(points).map((run) => {
      const places = run.map(([x, y]) => [number(xOf(x)), number(yOf(y))] as const);
      const path = places.map(([x, y]) => `${x},${y}`).join(" ");
      const dots = places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3.5"/>`).join("");
      const line = `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`;
      return isDotted ? line + dots : line;
    });
    return `<g fill="${colour}">${runs.join("")}<text x="${WIDTH - MARGIN.right + 10}" y="${number(ends[n]! + 4)}">${name}</text></g>`;
  });
  const moments = marks.map(({ x, label }) => {
    const at = number(xOf(x));
    return `<line x1="${at}" y1="${MARGIN.top}" x2="${at}" y2="${HEIGHT - MARGIN.bottom}" stroke="#6b7280" stroke-dasharray="3 3"/><text x="${number(xOf(x) + 4)}" y="${MARGIN.top + 10}" font-size="11">${label}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12">
<title>${title}</title>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#fff"/>
<g fill="#374151"><text x="20" y="26" font-size="14" font-weight="600">${title}</text>
${[...rows, ...ticks, ...moments].join("\n")}
<text x="${MARGIN.left}" y="${MARGIN.top - 8}" fill="#6b7280">${yLabel}</text>
<text x="${WIDTH - MARGIN.right}" y="${HEIGHT - MARGIN.bottom + 36}" fill="#6b7280" text-anchor="end">${xLabel}</text>
<text x="20" y="${HEIGHT - 12}" fill="#6b7280">${note}</text></g>
${lines.join("\n")}
</svg>
`;
}

/** What lies between gaps. */
function runsOf(points: readonly Point[]): [x: number, y: number][][] {
  const runs: [number, number][][] = [[]];
  for (const [x, y] of points) {
    if (y === null) runs.push([]);
    else runs.at(-1)!.push([x, y]);
  }
  return runs.filter((run) => run.length > 0);
}

/** Where a value lies between two others, from 0 to 1. */
function shareOf(from: number, to: number, scale: Scale): (value: number) => number {
  if (scale === "linear") return (value) => (value - from) / (to - from || 1);
  return (value) => Math.log(value / from) / (Math.log(to / from) || 1);
}

function quarters(from: number, to: number): number[] {
  return [0, 0.25, 0.5, 0.75, 1].map((share) => from + share * (to - from));
}

function tickValues(left: number, right: number): number[] {
  const step = niceCeiling((right - left) / 8);
  const ticks: number[] = [];
  for (let x = Math.ceil(left / step) * step; x <= right; x += step) ticks.push(x);
  return ticks;
}

/** 1, 2 and 5 times the powers of ten; in a wide range, the powers alone. */
function logTicks(from: number, to: number): number[] {
  const steps = to / from > 1000 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++) {
    ticks.push(...steps.map((step) => step * 10 ** power));
  }
  return ticks.filter((tick) => tick >= from && tick <= to);
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
    moved[n] = Math.max(y, last + LABEL_HEIGHT);
    last = moved[n]!;
  }
  return moved;
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}
