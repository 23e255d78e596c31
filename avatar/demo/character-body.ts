import { PALETTE } from "./character-palette.ts";
import {
  clipped,
  fill,
  glow,
  group,
  linear,
  type Point,
  smooth,
  soft,
  softStroke,
  stroke,
} from "./character-svg.ts";

const NECK = smooth([
  [592, 430],
  [688, 430],
  [690, 520],
  [700, 566],
  [760, 600],
  [780, 660],
  [500, 660],
  [520, 600],
  [580, 566],
  [590, 520],
]);

/** Neck and upper chest, which follow the torso. */
export function neckSvg(): string {
  const skin = linear(
    "neckSkin",
    [590, 0],
    [700, 0],
    [
      [0, PALETTE.skin],
      [0.45, "#eeb28c"],
      [1, "#c98466"],
    ],
  );
  return group(
    {},
    skin,
    fill(NECK, "url(#neckSkin)"),
    clipped(
      "neckClip",
      NECK,
      // The jaw's shadow, the tendons and the hollow between the collar bones.
      soft(
        smooth([
          [570, 420],
          [710, 420],
          [706, 512],
          [676, 526],
          [640, 536],
          [604, 520],
          [574, 492],
        ]),
        "#93503f",
        0.72,
        10,
      ),
      glow("neckLeft", [600, 560], [22, 60], "#ffdcbc", 0.5),
      glow("hollow", [640, 606], [16, 14], PALETTE.skinShade, 0.5),
      glow("neckRight", [700, 560], [40, 90], PALETTE.skinShade, 0.6),
    ),
  );
}

/** Jumper and shirt collar. `breath` 0..1 lifts and widens the shoulders. */
export function bodySvg(breath: number): string {
  const b = breath;
  const up = -3.4 * b;
  const wide = 2.2 * b;
  const torso = smooth([
    [334 - wide, 770],
    [348 - wide, 700 + up],
    [390 - wide, 644 + up],
    [462, 612 + up],
    [540, 588 + up],
    [570, 596 + up],
    [640, 640 + up],
    [710, 596 + up],
    [740, 588 + up],
    [818, 612 + up],
    [890 + wide, 644 + up],
    [932 + wide, 700 + up],
    [946 + wide, 770],
  ]);
  const wool = linear(
    "wool",
    [380, 600],
    [900, 720],
    [
      [0, PALETTE.knitLight],
      [0.4, PALETTE.knit],
      [0.8, "#b56f26"],
      [1, "#8a4c20"],
    ],
  );
  const rim = smooth(
    [
      [826, 614 + up],
      [890 + wide, 644 + up],
      [932 + wide, 700 + up],
      [946 + wide, 770],
    ],
    false,
  );
  const ribs = Array.from({ length: 30 }, (_, i) => {
    const t = i / 29;
    const x = 372 + 536 * t;
    const bend = (x - 640) * 0.1;
    return smooth(
      [
        [x - bend, 604 + up + 60 * (2 * t - 1) ** 2],
        [x, 672 + up],
        [x + bend, 740],
      ],
      false,
    );
  }).join("");
  return group(
    {},
    wool,
    fill(torso, "url(#wool)"),
    clipped(
      "torsoClip",
      torso,
      stroke(ribs, PALETTE.knitDeep, 1.6, { opacity: 0.16 }),
      stroke(ribs, "#ffe2a0", 1.2, { opacity: 0.14, transform: "translate(2.5 0)" }),
      glow("shoulderLight", [436, 640 + up], [120, 50], "#ffe3a3", 0.6, -18),
      glow("chestShade", [640, 730], [150, 70], PALETTE.knitDeep, 0.45),
      glow("armShade", [900, 720], [120, 100], PALETTE.knitDeep, 0.7),
      glow("hairShadeLeft", [500, 622 + up], [62, 36], "#4a2010", 0.55),
      glow("hairShadeRight", [794, 628 + up], [76, 40], "#3a180e", 0.65),
      stroke(
        smooth(
          [
            [444, 700],
            [452, 730],
            [448, 770],
          ],
          false,
        ),
        PALETTE.knitDeep,
        3,
        { opacity: 0.4 },
      ),
      stroke(
        smooth(
          [
            [836, 700],
            [828, 730],
            [832, 770],
          ],
          false,
        ),
        PALETTE.knitDeep,
        3,
        { opacity: 0.5 },
      ),
      softStroke(rim, PALETTE.rim, 0.38, 11),
    ),
    collar(up),
  );
}

function collar(up: number): string {
  const flap = (side: -1 | 1): string => {
    const at = (points: readonly Point[]): Point[] =>
      points.map(([x, y]) => [640 + side * x, y + up]);
    const shape = smooth(
      at([
        [62, 560],
        [84, 572],
        [92, 600],
        [78, 640],
        [52, 668],
        [44, 664],
        [22, 634],
        [3, 622],
        [4, 612],
        [34, 600],
        [52, 580],
      ]),
    );
    const name = `collar${side}`;
    const paint = linear(
      name,
      at([[10, 0]])[0]!,
      at([[95, 0]])[0]!,
      side < 0
        ? [
            [0, "#e6d6cd"],
            [0.5, PALETTE.shirtLight],
            [1, "#f6ead9"],
          ]
        : [
            [0, "#efe3da"],
            [0.6, "#dccbc8"],
            [1, PALETTE.shirtShade],
          ],
    );
    return group(
      {},
      group({ transform: "translate(0 5)" }, soft(shape, "#4a2010", 0.4, 5)),
      paint,
      fill(shape, `url(#${name})`),
      stroke(
        smooth(
          at([
            [82, 598],
            [70, 634],
            [50, 658],
            [27, 632],
          ]),
          false,
        ),
        "#a8938f",
        1,
        { opacity: 0.45, "stroke-dasharray": "3 2.5" },
      ),
    );
  };
  return group({}, flap(-1), flap(1));
}
