import { PALETTE } from "./character-palette.ts";
import {
  clipped,
  fill,
  glow,
  group,
  linear,
  num,
  type Point,
  polyline,
  radial,
  smooth,
  stroke,
} from "./character-svg.ts";
import type { Pose } from "./motion.ts";

/** Half the distance between the eyes, and their height, in the neutral pose. */
const EYE_X = 58;
const EYE_Y = 304;
const IRIS_RADIUS = 18;

/** Lids as cubic Beziers from the inner corner to the outer one; x grows outwards. */
type Lid = readonly [Point, Point, Point, Point];
const UPPER_OPEN: Lid = [
  [-32, 8],
  [-20, -19],
  [10, -26],
  [36, -4],
];
const UPPER_SHUT: Lid = [
  [-32, 8],
  [-13, 19],
  [17, 20],
  [36, -1],
];
const LOWER: Lid = [
  [-32, 8],
  [-13, 18],
  [17, 19],
  [36, -2],
];

function mix(a: Lid, b: Lid, t: number): Lid {
  const point = (i: 0 | 1 | 2 | 3): Point => [
    a[i][0] + (b[i][0] - a[i][0]) * t,
    a[i][1] + (b[i][1] - a[i][1]) * t,
  ];
  return [point(0), point(1), point(2), point(3)];
}

function lidPoints(lid: Lid, offset = 0): Point[] {
  return Array.from({ length: 17 }, (_, i) => {
    const t = i / 16;
    const s = 1 - t;
    const weights = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t] as const;
    const sum = (axis: 0 | 1): number =>
      lid.reduce((total, point, k) => total + point[axis] * weights[k as 0 | 1 | 2 | 3], 0);
    return [sum(0), sum(1) + offset * Math.sin(Math.PI * Math.min(1, t * 1.02)) ** 0.7];
  });
}

/** Both eyes, open as far as the pose says, with lids and lashes. */
export function eyesSvg(pose: Pose): string {
  return eye(-1, pose) + eye(1, pose);
}

function eye(side: -1 | 1, pose: Pose): string {
  const name = side < 0 ? "L" : "R";
  const place = (points: readonly Point[]): Point[] =>
    points.map(([x, y]) => [640 + side * (EYE_X + x), EYE_Y + y]);
  const cx = 640 + side * EYE_X;
  const upperLid = mix(UPPER_OPEN, UPPER_SHUT, pose.blink);
  const upper = place(lidPoints(upperLid));
  const lower = place(lidPoints(LOWER));
  const opening = polyline([...upper, ...lower.toReversed()]);
  const iris: Point = [cx + side * 0.5 + pose.gazeX, EYE_Y - 3 + pose.gazeY + 1.5 * pose.blink];
  return group(
    {},
    glow(`socket${name}`, [cx - side * 2, EYE_Y - 12], [48, 30], PALETTE.skinShade, 0.42),
    glow(
      `lidGlow${name}`,
      [cx + side * 4, EYE_Y - 21 + 14 * pose.blink],
      [28, 11],
      PALETTE.blush,
      0.25,
    ),
    glow(`pouch${name}`, [cx, EYE_Y + 22], [34, 11], PALETTE.skinShade, 0.2),
    clipped(`eye${name}`, opening, white(name, cx), irisSvg(name, iris), castShadow(upper, name)),
    lashes(side, upperLid, place, pose.blink),
    crease(upperLid, place, pose.blink),
  );
}

function white(name: string, cx: number): string {
  const paint = radial(
    `white${name}`,
    [cx, EYE_Y + 2],
    [36, 24],
    [
      [0, "#fffdfa"],
      [0.6, "#faf1ec"],
      [1, "#d9bdb6"],
    ],
  );
  return paint + fill(`M${num(cx - 45)} 260h90v80h-90z`, `url(#white${name})`);
}

function irisSvg(name: string, [x, y]: Point): string {
  const r = IRIS_RADIUS;
  const circle = (radius: number, dx = 0, dy = 0): string =>
    `M${num(x + dx - radius)} ${num(y + dy)}a${num(radius)} ${num(radius)} 0 1 0 ${num(2 * radius)} 0a${num(radius)} ${num(radius)} 0 1 0 ${num(-2 * radius)} 0z`;
  const paint = radial(
    `iris${name}`,
    [x, y + 5],
    [r * 1.15, r * 1.15],
    [
      [0, "#9fd6a0"],
      [0.38, "#5fae93"],
      [0.72, "#2d7d79"],
      [1, "#123f4a"],
    ],
  );
  const rays = Array.from({ length: 22 }, (_, i) => {
    const a = (i / 22) * 2 * Math.PI + 0.1 * Math.sin(9 * i);
    const at = (k: number): Point => [x + k * r * Math.cos(a), y + k * r * Math.sin(a)];
    return polyline([at(0.48), at(0.8 + 0.08 * Math.sin(5 * i))], false);
  }).join("");
  return group(
    {},
    paint,
    fill(circle(r), `url(#iris${name})`),
    stroke(rays, "#cdeebf", 0.8, { opacity: 0.35 }),
    glow(`amber${name}`, [x, y + 1], [10.5, 10.5], "#e9b45c", 0.65),
    stroke(circle(r - 0.6), "#0c2c36", 1.8, { opacity: 0.85 }),
    fill(circle(7.6), "#12141f"),
    glow(`caustic${name}`, [x + 1, y + 11], [11, 5.5], "#d9ffe0", 0.75),
    fill(circle(4.9, -5.6, -6.6), "#ffffff"),
    fill(circle(2.2, 6.2, 5.6), "#ffffff", { opacity: 0.85 }),
    glow(`window${name}`, [x + 5, y - 8], [8, 5], "#bfe8ff", 0.4, 25),
  );
}

/** The upper lid's shadow on the ball. */
function castShadow(upper: readonly Point[], name: string): string {
  const below = upper.map(([x, y]): Point => [x, y + 8]);
  const shade = linear(
    `lidShade${name}`,
    [0, EYE_Y - 20],
    [0, EYE_Y - 4],
    [
      [0, "#4a2436", 0.55],
      [1, "#4a2436", 0],
    ],
  );
  return (
    shade +
    fill(`${polyline([...upper, ...below.toReversed()])}`, "#5a2f3a", { opacity: 0.22 }) +
    fill("M500 270h280v40h-280z", `url(#lidShade${name})`)
  );
}

function lashes(
  side: -1 | 1,
  lid: Lid,
  place: (points: readonly Point[]) => Point[],
  blink: number,
): string {
  const edge = lidPoints(lid);
  const thick = edge.map(([x, y], i): Point => {
    const t = i / 16;
    return [x + 1.2 * t, y - (0.8 + 3.6 * Math.sin(Math.PI * Math.min(1, 0.12 + 0.8 * t)))];
  });
  const wing: Point[] = [[43, -9.5 + 6 * blink]];
  const band = polyline(place([...edge, ...wing, ...thick.toReversed()]));
  const hairs = [0.52, 0.64, 0.75, 0.86, 0.95].map((t, k) => {
    const [x, y] = edge[Math.round(16 * t)]!;
    const length = 5.5 + 1.2 * k;
    const up = -length * (1 - 1.5 * blink) * (1 - 0.07 * k);
    const tip: Point = [x + 3.2 + 1.7 * k, y - 2 + up];
    return fill(
      smooth(
        place([
          [x - 1.2, y - 1.5],
          [x + 1.2 + k * 0.5, y - 2.5 + up * 0.55],
          tip,
          [x + 1.5, y - 1],
        ]),
      ),
      PALETTE.lash,
    );
  });
  const lower = place(lidPoints(LOWER).slice(5));
  const line = stroke(smooth(lower, false), PALETTE.skinDeep, 1.5, { opacity: 0.55 });
  const waterline = stroke(
    smooth(place(lidPoints(LOWER, -1.4).slice(2, 15)), false),
    "#ffd9cc",
    1.3,
    {
      opacity: 0.7 * (1 - blink),
    },
  );
  const corner = glow(`tear${side}`, place([[-29, 8]])[0]!, [5, 4], "#d9776c", 0.7 * (1 - blink));
  return group({}, corner, waterline, line, fill(band, PALETTE.lash), ...hairs);
}

function crease(lid: Lid, place: (points: readonly Point[]) => Point[], blink: number): string {
  const points = lidPoints(lid).map(([x, y], i): Point => {
    const lift = Math.sin(Math.PI * (0.08 + (0.84 * i) / 16));
    return [x * 1.03, y - 4 - (6 + 12 * blink) * lift];
  });
  return stroke(smooth(place(points.slice(2, 16)), false), PALETTE.skinDeep, 1.6, { opacity: 0.5 });
}

/** The brows. */
export function browsSvg(pose: Pose): string {
  const brow = (side: -1 | 1, lift: number): string => {
    const at = (points: readonly Point[]): Point[] =>
      points.map(([x, y]) => [640 + side * (EYE_X + x), EYE_Y - 43 + y - lift]);
    const shape = at([
      [-33, 7],
      [-32, -1],
      [-12, -7.5],
      [14, -9.5],
      [30, -2],
      [42, 9.5],
      [28, 3.2],
      [12, -2.2],
      [-10, 0.2],
      [-28, 7.6],
    ]);
    const name = `brow${side}`;
    const paint = linear(name, at([[-34, 0]])[0]!, at([[42, 0]])[0]!, [
      [0, PALETTE.brow, 0.55],
      [0.3, PALETTE.brow, 0.95],
      [1, PALETTE.brow, 0.85],
    ]);
    return paint + fill(smooth(shape), `url(#${name})`);
  };
  return brow(-1, pose.browLeft) + brow(1, pose.browRight);
}
