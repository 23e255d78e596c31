import { HAIR, PALETTE } from "./character-palette.ts";
import { strands } from "./character-strands.ts";
import { fill, glow, group, linear, smooth } from "./character-svg.ts";

/** The hair behind head and neck. `sway` moves its ends, in pixels. */
export function backHairSvg(sway: number): string {
  const s = sway;
  const shape = smooth([
    [640, 86],
    [738, 102],
    [806, 178],
    [826, 280],
    [828, 390],
    [832 + s * 0.5, 490],
    [822 + s, 560],
    [780 + s, 600],
    [720 + s * 0.7, 590],
    [640, 560],
    [560 + s * 0.7, 590],
    [508 + s, 604],
    [462 + s, 560],
    [450 + s * 0.5, 490],
    [456, 390],
    [456, 280],
    [474, 178],
    [542, 112],
  ]);
  const paint = linear(
    "backHair",
    [450, 300],
    [840, 420],
    [
      [0, "#6d3328"],
      [0.22, "#45202a"],
      [0.75, "#351822"],
      [1, "#4a2430"],
    ],
  );
  return group(
    {},
    paint,
    fill(shape, "url(#backHair)"),
    strands({
      from: [
        [480, 230],
        [446, 380],
        [460 + s, 480],
        [438 + s, 622],
      ],
      to: [
        [540, 330],
        [536, 440],
        [556 + s, 540],
        [548 + s, 640],
      ],
      count: 30,
      width: 17,
      colours: HAIR.middle,
      wave: 22,
      swings: 1.35,
      seed: 11,
    }),
    strands({
      from: [
        [476, 230],
        [444, 380],
        [456 + s, 480],
        [432 + s, 604],
      ],
      to: [
        [500, 330],
        [480, 440],
        [500 + s, 540],
        [490 + s, 636],
      ],
      count: 13,
      width: 8,
      colours: HAIR.warm,
      wave: 22,
      swings: 1.35,
      opacity: 0.85,
      seed: 30,
    }),
    strands({
      from: [
        [740, 300],
        [730, 420],
        [726 + s, 520],
        [724 + s, 630],
      ],
      to: [
        [812, 240],
        [842, 390],
        [820 + s, 500],
        [838 + s, 620],
      ],
      count: 22,
      width: 16,
      colours: HAIR.cool,
      wave: -20,
      swings: 1.35,
      seed: 90,
    }),
    glow("neckDark", [640, 500], [112, 150], "#1c0b14", 0.9),
    glow("backLeftLight", [452, 470], [26, 120], PALETTE.hairGlint, 0.3),
  );
}
