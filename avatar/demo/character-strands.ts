import { fill, type Point, smooth } from "./character-svg.ts";

/** A cubic Bezier. */
export type Curve = readonly [Point, Point, Point, Point];

/** How a family of strands between two guides is painted. */
export interface Strands {
  readonly from: Curve;
  readonly to: Curve;
  readonly count: number;
  /** Of the average strand, in pixels. */
  readonly width: number;
  readonly colours: readonly string[];
  /** Default 1. */
  readonly opacity?: number;
  /** Pixels that the ends swing to the side; the root stays straight. Default 0. */
  readonly wave?: number;
  /** Swings from root to end. Default 1.5. */
  readonly swings?: number;
  /** Of the noise. */
  readonly seed: number;
}

/** Strands of hair, one path per colour. */
export function strands(family: Strands): string {
  const { from, to, count, width, colours, opacity = 1, wave = 0, swings = 1.5, seed } = family;
  const paths = colours.map(() => "");
  for (let i = 0; i < count; i++) {
    const [r0, r1, r2] = [noise(seed + 3 * i), noise(seed + 3 * i + 1), noise(seed + 3 * i + 2)];
    const share = Math.min(1, Math.max(0, (i + 0.9 * r0) / count));
    const phase = 0.13 * share + 0.05 * r1;
    const thick = width * (0.45 + 0.9 * r1);
    const curve = between(from, to, share);
    paths[Math.floor(r2 * colours.length)] += strand(curve, thick, { wave, swings, phase });
  }
  return paths
    .map((d, i) => (d ? fill(d, colours[i]!, opacity < 1 ? { opacity } : {}) : ""))
    .join("");
}

/** A strand that swells in the middle and ends in a point. */
function strand(
  curve: Curve,
  width: number,
  { wave, swings, phase }: { wave: number; swings: number; phase: number },
): string {
  const at = (t: number): Point => {
    const [x, y] = pointAt(curve, t);
    return [x + wave * t * Math.sin(2 * Math.PI * (swings * t + phase)), y];
  };
  const left: Point[] = [];
  const right: Point[] = [];
  const steps = 14;
  for (let i = 0; i <= steps; i++) {
    const t = i / steps;
    const [x, y] = at(t);
    const [x0, y0] = at(Math.max(0, t - 0.02));
    const [x1, y1] = at(Math.min(1, t + 0.02));
    const length = Math.hypot(x1 - x0, y1 - y0) || 1;
    const half = 0.5 * width * Math.sin(Math.PI * (0.06 + 0.94 * t)) ** 0.7;
    const nx = (-(y1 - y0) / length) * half;
    const ny = ((x1 - x0) / length) * half;
    left.push([x + nx, y + ny]);
    right.push([x - nx, y - ny]);
  }
  return smooth([...left, ...right.toReversed()]);
}

/** A number between 0 and 1 that depends on `seed` alone: every frame has the same strands. */
function noise(seed: number): number {
  const x = Math.sin(seed * 127.1 + 11.7) * 43758.5453;
  return x - Math.floor(x);
}

function between(a: Curve, b: Curve, t: number): Curve {
  const point = (i: 0 | 1 | 2 | 3): Point => [
    a[i][0] + (b[i][0] - a[i][0]) * t,
    a[i][1] + (b[i][1] - a[i][1]) * t,
  ];
  return [point(0), point(1), point(2), point(3)];
}

function pointAt([a, b, c, d]: Curve, t: number): Point {
  const s = 1 - t;
  const [w0, w1, w2, w3] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
  return [
    a[0] * w0 + b[0] * w1 + c[0] * w2 + d[0] * w3,
    a[1] * w0 + b[1] * w1 + c[1] * w2 + d[1] * w3,
  ];
}
