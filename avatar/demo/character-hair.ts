import { HAIR, PALETTE } from "./character-palette.ts";
import { type Curve, strands } from "./character-strands.ts";
import { clipped, fill, glow, group, linear, smooth } from "./character-svg.ts";

/** The hair in front of the head: a side parting, swept behind the left ear. */
export function frontHairSvg(sway: number): string {
  return group({}, rightHair(sway), leftHair(), gloss());
}

function leftHair(): string {
  const shape = smooth([
    [684, 116],
    [674, 86],
    [616, 68],
    [550, 82],
    [494, 128],
    [466, 196],
    [459, 262],
    [461, 312],
    [470, 350],
    [480, 338],
    [488, 312],
    [498, 290],
    [514, 280],
    [536, 258],
    [572, 234],
    [620, 208],
    [660, 168],
  ]);
  const paint = linear(
    "leftHair",
    [500, 110],
    [600, 290],
    [
      [0, "#84432f"],
      [0.5, "#6f352a"],
      [1, "#63302a"],
    ],
  );
  return group(
    {},
    paint,
    fill(shape, "url(#leftHair)"),
    clipped(
      "leftHairClip",
      shape,
      strands({
        from: [
          [680, 102],
          [590, 40],
          [436, 130],
          [470, 350],
        ],
        to: [
          [682, 118],
          [610, 110],
          [500, 180],
          [490, 340],
        ],
        count: 24,
        width: 11,
        colours: HAIR.warm,
        opacity: 0.62,
        seed: 200,
      }),
      strands({
        from: [
          [682, 118],
          [610, 110],
          [500, 180],
          [490, 320],
        ],
        to: [
          [680, 128],
          [650, 186],
          [560, 230],
          [500, 288],
        ],
        count: 22,
        width: 11,
        colours: HAIR.middle,
        opacity: 0.62,
        seed: 300,
      }),
    ),
    strands({
      from: [
        [674, 92],
        [590, 36],
        [440, 120],
        [460, 330],
      ],
      to: [
        [674, 90],
        [580, 42],
        [442, 114],
        [464, 360],
      ],
      count: 5,
      width: 3.2,
      colours: ["#8a4632", "#6a3229"],
      opacity: 0.9,
      seed: 420,
    }),
    strands({
      from: [
        [682, 128],
        [656, 190],
        [580, 236],
        [522, 272],
      ],
      to: [
        [680, 138],
        [650, 200],
        [570, 246],
        [510, 286],
      ],
      count: 4,
      width: 4.5,
      colours: ["#6a3229", "#52262a"],
      opacity: 0.95,
      seed: 433,
    }),
  );
}

function rightHair(sway: number): string {
  const s = sway;
  const shape = smooth([
    [672, 116],
    [680, 86],
    [732, 80],
    [788, 114],
    [820, 184],
    [830, 270],
    [832, 380],
    [836 + s * 0.6, 470],
    [828 + s, 540],
    [806 + s, 580],
    [780 + s, 570],
    [766 + s * 0.8, 520],
    [776 + s * 0.4, 460],
    [770, 400],
    [770, 340],
    [758, 276],
    [734, 220],
    [702, 172],
  ]);
  const paint = linear(
    "rightHair",
    [700, 140],
    [840, 420],
    [
      [0, "#6f352b"],
      [0.45, "#552830"],
      [1, "#3c1b28"],
    ],
  );
  const outer: Curve = [
    [680, 94],
    [856, 50],
    [806, 330],
    [850 + s, 616],
  ];
  const middle: Curve = [
    [680, 114],
    [802, 160],
    [792, 380],
    [822 + s, 644],
  ];
  const inner: Curve = [
    [678, 124],
    [784, 200],
    [758, 430],
    [782 + s, 624],
  ];
  const wave = { wave: -24, swings: 1.3 };
  return group(
    {},
    paint,
    fill(shape, "url(#rightHair)"),
    strands({
      from: outer,
      to: middle,
      count: 26,
      width: 17,
      colours: HAIR.cool,
      opacity: 0.9,
      ...wave,
      seed: 500,
    }),
    strands({
      from: middle,
      to: inner,
      count: 24,
      width: 16,
      colours: HAIR.middle,
      opacity: 0.9,
      ...wave,
      seed: 600,
    }),
    strands({
      from: middle,
      to: inner,
      count: 9,
      width: 7,
      colours: ["#a65f3e", "#8d4a34"],
      opacity: 0.8,
      ...wave,
      seed: 630,
    }),
    strands({
      from: outer,
      to: middle,
      count: 7,
      width: 5,
      colours: ["#9a5650", "#7d4a54"],
      opacity: 0.7,
      ...wave,
      seed: 640,
    }),
    strands({
      from: [
        [700, 84],
        [846, 66],
        [822, 300],
        [852 + s, 560],
      ],
      to: [
        [700, 88],
        [838, 70],
        [814, 300],
        [846 + s, 580],
      ],
      count: 4,
      width: 4,
      colours: [PALETTE.rim],
      opacity: 0.2,
      ...wave,
      seed: 650,
    }),
  );
}

/** The light that follows the skull. */
function gloss(): string {
  return group(
    {},
    glow("gloss", [540, 146], [96, 30], PALETTE.hairGlint, 0.5, -40),
    glow("glossSide", [478, 240], [14, 66], PALETTE.hairGlint, 0.36, 5),
    glow("glossRight", [752, 158], [58, 18], "#d98f70", 0.34, 50),
  );
}
