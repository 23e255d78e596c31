import { PALETTE } from "./character-palette.ts";
import {
  clipped,
  fill,
  glow,
  group,
  linear,
  type Point,
  radial,
  smooth,
  soft,
  stroke,
} from "./character-svg.ts";

/** The right half of the face from the crown to the chin, as offsets from its middle line. */
const HALF: readonly Point[] = [
  [52, 156],
  [100, 190],
  [126, 250],
  [130, 304],
  [126, 350],
  [116, 397],
  [97, 439],
  [67, 472],
  [33, 491],
];

/** The outline of the face. */
export const FACE_PATH = smooth([
  [640, 140],
  ...HALF.map(([x, y]): Point => [640 + x, y]),
  [640, 494],
  ...HALF.toReversed().map(([x, y]): Point => [640 - x, y]),
]);

/** The skull: skin and its modelling, without the features. */
export function faceSvg(): string {
  const skin = linear(
    "faceSkin",
    [520, 200],
    [770, 440],
    [
      [0, "#ffd9ba"],
      [0.45, PALETTE.skin],
      [0.8, PALETTE.skinMid],
      [1, "#d58f70"],
    ],
  );
  return group(
    {},
    skin,
    fill(FACE_PATH, "url(#faceSkin)"),
    clipped(
      "faceClip",
      FACE_PATH,
      // Planes: light on the forehead and the left cheek, shade to the right and below.
      glow("templeShade", [778, 330], [62, 190], PALETTE.skinShade, 0.75),
      glow("jawShade", [640, 516], [150, 52], PALETTE.skinShade, 0.6),
      glow("jawSide", [724, 470], [80, 70], PALETTE.skinShade, 0.5, -35),
      glow("leftEdge", [506, 340], [26, 150], PALETTE.skinShade, 0.35),
      glow("forehead", [606, 232], [96, 62], "#ffeeda", 0.65),
      glow("cheekLight", [566, 352], [46, 34], "#ffeedd", 0.6, -20),
      glow("cheekLightRight", [704, 352], [34, 24], "#ffe9d2", 0.34, 20),
      glow("chinLight", [632, 468], [32, 17], "#ffe6cf", 0.6),
      glow("blushLeft", [560, 374], [52, 34], PALETTE.blush, 0.36, -14),
      glow("blushRight", [722, 374], [50, 34], PALETTE.blush, 0.38, 14),
      freckles(),
      glow("foldLeft", [590, 398], [7, 26], PALETTE.skinShade, 0.16, 22),
      glow("foldRight", [690, 398], [7, 26], PALETTE.skinShade, 0.22, -22),
      // What the hair throws on the forehead.
      soft(
        smooth([
          [500, 130],
          [780, 130],
          [790, 420],
          [766, 400],
          [754, 280],
          [720, 214],
          [676, 176],
          [628, 212],
          [566, 242],
          [526, 296],
          [505, 330],
        ]),
        "#a85a46",
        0.45,
        9,
      ),
    ),
  );
}

function freckles(): string {
  const spots: readonly Point[] = [
    [566, 352],
    [578, 360],
    [590, 351],
    [584, 369],
    [600, 362],
    [572, 371],
    [556, 363],
    [608, 353],
    [595, 342],
    [714, 352],
    [702, 360],
    [690, 351],
    [696, 369],
    [680, 362],
    [708, 371],
    [724, 363],
    [672, 353],
    [685, 342],
  ];
  const d = spots.map(([x, y], i) => {
    const r = 1 + 0.35 * Math.sin(5 * i);
    return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  });
  return fill(d.join(""), PALETTE.skinDeep, { opacity: 0.3 });
}

/** The nose: light on its bridge and tip, shade on its right side. */
export function noseSvg(): string {
  const under = smooth([
    [617, 366],
    [628, 361],
    [640, 369],
    [652, 361],
    [664, 366],
    [655, 373],
    [640, 377],
    [625, 373],
  ]);
  return group(
    {},
    glow("noseSide", [655, 330], [14, 52], PALETTE.skinShade, 0.42, -6),
    glow("noseBridgeLeft", [617, 296], [9, 30], PALETTE.skinShade, 0.28, 6),
    glow("noseBridgeRight", [663, 294], [10, 32], PALETTE.skinShade, 0.34, -6),
    glow("noseBridge", [637, 316], [8, 52], "#fff0e0", 0.6),
    glow("noseBall", [640, 358], [25, 18], PALETTE.blush, 0.28),
    glow("noseWingRight", [666, 362], [11, 12], PALETTE.skinShade, 0.5),
    glow("noseWingLeft", [614, 362], [9, 11], PALETTE.skinShade, 0.28),
    glow("noseUnder", [642, 378], [26, 9], PALETTE.skinShade, 0.55),
    fill(under, PALETTE.skinShade, { opacity: 0.28 }),
    fill(
      smooth([
        [621, 367.5],
        [627, 364.5],
        [633, 368],
        [629, 370.5],
        [624, 370.5],
      ]),
      "#7d3a30",
      { opacity: 0.85 },
    ),
    fill(
      smooth([
        [659, 367.5],
        [653, 364.5],
        [647, 368],
        [651, 370.5],
        [656, 370.5],
      ]),
      "#7d3a30",
      { opacity: 0.85 },
    ),
    stroke(
      smooth(
        [
          [613, 358],
          [612.5, 364],
          [616, 369.5],
        ],
        false,
      ),
      PALETTE.skinDeep,
      1.6,
      { opacity: 0.4 },
    ),
    stroke(
      smooth(
        [
          [667, 358],
          [667.5, 364],
          [664, 369.5],
        ],
        false,
      ),
      PALETTE.skinDeep,
      1.6,
      { opacity: 0.5 },
    ),
    glow("noseTip", [635, 353], [7, 5.5], "#ffffff", 0.75, -15),
  );
}

/** The ear that shows, at the left, with its earring. */
export function earSvg(): string {
  const shape = smooth([
    [520, 292],
    [506, 284],
    [493, 292],
    [491, 312],
    [498, 336],
    [507, 356],
    [517, 358],
    [526, 340],
    [528, 306],
  ]);
  const paint = radial(
    "earSkin",
    [512, 318],
    [30, 46],
    [
      [0, "#f0ad88"],
      [0.6, PALETTE.skin],
      [1, PALETTE.skinMid],
    ],
  );
  return group(
    {},
    paint,
    fill(shape, "url(#earSkin)"),
    stroke(
      smooth(
        [
          [516, 300],
          [505, 294],
          [499, 304],
          [501, 322],
          [507, 338],
        ],
        false,
      ),
      PALETTE.skinShade,
      2.4,
      { opacity: 0.7 },
    ),
    fill(
      smooth([
        [514, 312],
        [508, 318],
        [509, 330],
        [516, 338],
        [521, 322],
      ]),
      PALETTE.skinShade,
      { opacity: 0.6 },
    ),
    radial(
      "gold",
      [509, 362],
      [7, 7],
      [
        [0, "#fff3c4"],
        [0.5, "#f2c14e"],
        [1, "#a86a1a"],
      ],
    ),
    fill("M503.600 364a5.600 5.600 0 1 0 11.200 0a5.600 5.600 0 1 0 -11.200 0z", "url(#gold)"),
    glow("goldShine", [507, 361.5], [2.5, 2.5], "#ffffff", 1),
  );
}
