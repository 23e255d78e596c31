import { PALETTE } from "./character-palette.ts";
import {
  clipped,
  fill,
  glow,
  group,
  linear,
  type Point,
  polyline,
  stroke,
} from "./character-svg.ts";

/**
 * The neutral mouth. The U-Net pulls this very mouth open, so both read its
 * measures here. `t` runs from -1 at the left corner to 1 at the right one.
 */
export const MOUTH = {
  /** Of the seam's chord, in the neutral pose, in pixels of the picture. */
  centre: [640, 416],
  /** From the centre to a corner. */
  halfWidth: 43,
  /** The line between the lips, downwards: a + b t^2 + c t^4. */
  seam: [4.6, -8.6, -1.6],
} as const;

/** The line between the lips, in pixels below the centre. */
export function seamAt(t: number): number {
  const [a, b, c] = MOUTH.seam;
  return a + b * t * t + c * t ** 4;
}

function upperThickness(t: number): number {
  const bow = 1 - 0.2 * Math.exp(-((t / 0.13) ** 2));
  return 10.6 * (1 - Math.abs(t) ** 1.6) ** 1.15 * bow;
}

function lowerThickness(t: number): number {
  return 14.2 * Math.max(0, 1 - Math.abs(t / 0.95) ** 2.3) ** 0.95;
}

function sample(offset: (t: number) => number): Point[] {
  const [x, y] = MOUTH.centre;
  return Array.from({ length: 41 }, (_, i) => {
    const t = i / 20 - 1;
    return [x + MOUTH.halfWidth * t, y + seamAt(t) + offset(t)];
  });
}

/** The closed mouth with its shadow on the chin. */
export function mouthSvg(): string {
  const [x, y] = MOUTH.centre;
  const seam = sample(() => 0);
  const top = sample((t) => -upperThickness(t));
  const bottom = sample(lowerThickness);
  const upper = polyline([...top, ...seam.toReversed()]);
  const lower = polyline([...seam, ...bottom.toReversed()]);
  const upperPaint = linear(
    "lipUpper",
    [x, y - 8],
    [x, y + 5],
    [
      [0, "#d8676a"],
      [0.55, PALETTE.lipUpper],
      [1, "#a53a47"],
    ],
  );
  const lowerPaint = linear(
    "lipLower",
    [x, y + 2],
    [x, y + 20],
    [
      [0, "#c5505b"],
      [0.35, PALETTE.lipLower],
      [0.75, "#e27c80"],
      [1, "#d2666a"],
    ],
  );
  const line = polyline([
    ...sample((t) => -1.25 * (1 - t ** 6)),
    ...sample((t) => 1.05 * (1 - t ** 4)).toReversed(),
  ]);
  return group(
    {},
    upperPaint,
    lowerPaint,
    glow("underLip", [x, y + 26], [30, 9], PALETTE.skinShade, 0.5),
    glow("philtrum", [x + 1, y - 21], [7, 16], PALETTE.skinShade, 0.25),
    glow("cornerLeft", [x - 45, y - 5.5], [9, 11], PALETTE.skinShade, 0.34, 20),
    glow("cornerRight", [x + 45, y - 5.5], [9, 11], PALETTE.skinShade, 0.42, -20),
    fill(upper, "url(#lipUpper)"),
    fill(lower, "url(#lipLower)"),
    clipped(
      "lowerLipClip",
      lower,
      glow("lipShine", [x - 8, y + 10.5], [21, 4.6], "#ffe3dc", 0.75, 2),
      glow("lipShade", [x + 26, y + 12], [20, 12], "#a53a47", 0.35),
    ),
    glow("bowShine", [x - 6, y - 9.4], [16, 2.6], "#ffe9dc", 0.65, -3),
    fill(line, PALETTE.lipSeam),
    stroke(polyline(bottom.slice(9, 32), false), PALETTE.lipSeam, 0.7, { opacity: 0.18 }),
  );
}
