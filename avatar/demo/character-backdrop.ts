import {
  blur,
  element,
  fill,
  glow,
  group,
  linear,
  type Point,
  radial,
  smooth,
} from "./character-svg.ts";

const SIZE = { width: 1280, height: 720 } as const;

function disc([cx, cy]: Point, r: number, colour: string, opacity: number): string {
  return element("circle", { cx, cy, r, fill: colour, opacity });
}

/** A leaf from `base` to its tip, `bend` pixels off the straight line. */
function leaf(
  [x, y]: Point,
  degrees: number,
  length: number,
  width: number,
  colour: string,
): string {
  const shape = smooth([
    [0, 0],
    [length * 0.3, -width],
    [length * 0.7, -width * 0.8],
    [length, 0],
    [length * 0.65, width * 0.7],
    [length * 0.25, width * 0.8],
  ]);
  return fill(shape, colour, { transform: `translate(${x} ${y}) rotate(${degrees})` });
}

function plant(): string {
  const leaves: readonly (readonly [number, number, number, string])[] = [
    [-150, 190, 26, "#1d4a48"],
    [-120, 230, 28, "#2a6a5c"],
    [-95, 260, 27, "#3c8a6c"],
    [-72, 240, 27, "#2c6f5e"],
    [-48, 220, 27, "#4a9a72"],
    [-25, 190, 25, "#2a6455"],
    [-168, 150, 22, "#2f7561"],
    [-108, 170, 24, "#58ab7c"],
    [-62, 160, 22, "#6cb985"],
  ];
  return leaves
    .map(([angle, length, width, colour]) => leaf([1130, 600], angle, length, width, colour))
    .join("");
}

/** The room behind the character, out of focus. The same in every frame. */
export function backdropSvg(): string {
  const wall = linear(
    "wall",
    [0, 0],
    [1280, 720],
    [
      [0, "#e7b98c"],
      [0.28, "#b98a86"],
      [0.6, "#5c6a8c"],
      [1, "#27395c"],
    ],
  );
  const bokeh: readonly (readonly [number, number, number, string, number])[] = [
    [870, 120, 34, "#ffd9a0", 0.3],
    [950, 70, 24, "#ffc48a", 0.34],
    [1010, 170, 42, "#9fe0e0", 0.2],
    [1080, 90, 30, "#ffe6b8", 0.3],
    [1160, 190, 38, "#ffb98a", 0.22],
    [1220, 80, 46, "#8fd0e0", 0.2],
    [920, 230, 22, "#ffe6b8", 0.26],
    [1100, 270, 26, "#9fe0e0", 0.22],
    [1000, 300, 18, "#ffd9a0", 0.28],
    [1190, 320, 22, "#ffe0b0", 0.24],
    [860, 330, 16, "#ffd0a0", 0.2],
  ];
  return element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", ...SIZE, viewBox: "0 0 1280 720" },
    [
      blur("far", 16),
      blur("near", 7),
      wall,
      fill("M0 0h1280v720h-1280z", "url(#wall)"),
      group(
        { filter: "url(#far)" },
        // A window to the evening at the right, a shelf with books at the left.
        linear(
          "pane",
          [840, 0],
          [1280, 420],
          [
            [0, "#7a86ae"],
            [0.5, "#4a6a94"],
            [1, "#2c4a74"],
          ],
        ),
        fill("M830 -40h500v430h-500z", "url(#pane)"),
        fill("M1040 -40h16v430h-16zM830 386h500v22h-500z", "#d7b59a", { opacity: 0.5 }),
        fill("M-40 330h330v18h-330z", "#7a4a3c"),
        fill("M20 236h34v94h-34z", "#c96f52"),
        fill("M58 220h26v110h-26z", "#3f7d80"),
        fill("M88 246h30v84h-30z", "#efd9b0"),
        fill("M122 228h24v102h-24z", "#7d4a66"),
        fill("M-40 560h420v200h-420z", "#8a4f44"),
        fill("M-40 548h420v20h-420z", "#d9a27a"),
      ),
      // The lamp.
      glow("lampLight", [250, 250], [420, 400], "#ffdf9e", 0.85),
      group(
        { filter: "url(#near)" },
        fill("M238 300h14v250h-14z", "#7a4a34"),
        fill("M190 190h112l36 118h-184z", "#fff0c4"),
        radial(
          "bulb",
          [246, 270],
          [100, 70],
          [
            [0, "#fffbe8"],
            [1, "#ffd98a", 0],
          ],
        ),
        element("ellipse", { cx: 246, cy: 270, rx: 100, ry: 70, fill: "url(#bulb)" }),
        fill("M200 546h90v14h-90z", "#6a3c2c"),
      ),
      group(
        { filter: "url(#near)", style: "mix-blend-mode:screen" },
        ...bokeh.map(
          ([x, y, r, colour, opacity]) =>
            disc([x, y], r, colour, opacity) + disc([x, y], r * 0.9, colour, opacity * 0.4),
        ),
      ),
      group({ filter: "url(#near)" }, plant(), fill("M1070 600h120l-14 130h-92z", "#c9825c")),
      glow("vignette", [640, 330], [430, 420], "#fff0da", 0.22),
      radial(
        "edges",
        [640, 340],
        [860, 560],
        [
          [0, "#14182c", 0],
          [0.72, "#14182c", 0],
          [1, "#14182c", 0.5],
        ],
      ),
      fill("M0 0h1280v720h-1280z", "url(#edges)"),
    ].join(""),
  );
}
