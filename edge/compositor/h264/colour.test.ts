import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { softSides } from "../band.ts";
import { MacroblockCoder } from "./macroblock-coder.ts";
import { type Picture, pictureOf } from "./picture.ts";
import { PictureConverter } from "./rgb-to-picture.ts";

type Rgb = readonly [red: number, green: number, blue: number];

/** BT.709 of limited range, as exactly as numbers are. */
function exact([red, green, blue]: Rgb): { y: number; u: number; v: number } {
  const luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return {
    y: 16 + (219 * luma) / 255,
    u: 128 + (224 * (blue - luma)) / 1.8556 / 255,
    v: 128 + (224 * (red - luma)) / 1.5748 / 255,
  };
}

test("colours are those of BT.709, of limited range", () => {
  const converter = new PictureConverter();
  const colours: Rgb[] = [
    [0, 0, 0],
    [255, 255, 255],
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [18, 130, 77],
  ];
  for (const colour of colours) {
    const data = Uint8Array.from({ length: 18 * 4 * 3 }, (_, i) => colour[i % 3]!);
    const { y, u, v } = converter.convert({ width: 18, height: 4, data });
    const wanted = exact(colour);
    for (const [plane, value] of [
      [y, wanted.y],
      [u, wanted.u],
      [v, wanted.v],
    ] as const) {
      assert.ok(Math.abs(plane[0]! - value) <= 1, `${colour}: ${plane[0]} for ${value}`);
      assert.ok(plane.every((sample) => sample === plane[0]));
    }
  }
});

test("black, white and grey have no colour at all", () => {
  const converter = new PictureConverter();
  for (let grey = 0; grey < 256; grey++) {
    const data = new Uint8Array(16 * 2 * 3).fill(grey);
    const { u, v } = converter.convert({ width: 16, height: 2, data });
    assert.ok([...u, ...v].every((sample) => sample === 128));
  }
});

/** The plain way: sample by sample. */
function place(
  under: Picture,
  mouth: Uint8Array,
  region: { x: number; y: number; width: number; height: number },
  softEdge: number,
): Picture {
  const { width, height } = under;
  const sides = softSides({ width, height }, region);
  const weightOf = (x: number, y: number) => {
    const left = x - region.x;
    const top = y - region.y;
    const right = region.width - 1 - left;
    const bottom = region.height - 1 - top;
    if (Math.min(left, top, right, bottom) < 0) return 0;
    const distance = Math.min(
      softEdge,
      sides.left ? left : softEdge,
      sides.top ? top : softEdge,
      sides.right ? right : softEdge,
      sides.bottom ? bottom : softEdge,
    );
    return distance >= softEdge ? 256 : Math.floor(((2 * distance + 1) * 128) / softEdge);
  };
  const colourAt = (x: number, y: number): Rgb => {
    const at = ((y - region.y) * region.width + x - region.x) * 3;
    return [mouth[at]!, mouth[at + 1]!, mouth[at + 2]!];
  };
  const over = pictureOf(new Uint8Array((width * height * 3) / 2), width, height);
  over.y.set(under.y);
  over.u.set(under.u);
  over.v.set(under.v);
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      let total = 0;
      let u = 0;
      let v = 0;
      for (const [px, py] of [
        [x, y],
        [x + 1, y],
        [x, y + 1],
        [x + 1, y + 1],
      ] as const) {
        const weight = weightOf(px, py);
        if (weight === 0) continue;
        const colour = exact(colourAt(px, py));
        const at = py * width + px;
        over.y[at] = Math.round((under.y[at]! * (256 - weight) + colour.y * weight) / 256);
        total += weight;
        u += weight * colour.u;
        v += weight * colour.v;
      }
      const at = (y / 2) * (width / 2) + x / 2;
      over.u[at] = Math.round((under.u[at]! * (1024 - total) + u) / 1024);
      over.v[at] = Math.round((under.v[at]! * (1024 - total) + v) / 1024);
    }
  }
  return over;
}

test("a mouth at odd places and with any soft edge is blended as the plain way would", () => {
  const random = new SeededRandom(21);
  const openSides = { left: true, top: true, right: true, bottom: true };
  const [width, height] = [64, 48];
  const coder = new MacroblockCoder({ columns: 4, rows: 3, openSides, forbidden: null });
  for (let n = 0; n < 200; n++) {
    const bytes = Uint8Array.from({ length: (width * height * 3) / 2 }, () => random.below(256));
    const under = pictureOf(bytes, width, height);
    const x = random.below(width);
    const y = random.below(height);
    const region = {
      x,
      y,
      width: 1 + random.below(width - x),
      height: 1 + random.below(height - y),
    };
    const softEdge = random.below(2) * random.below(30);
    const mouth = Uint8Array.from({ length: region.width * region.height * 3 }, () =>
      random.below(256),
    );
    coder.setSource(under, { x: 0, y: 0 });
    coder.placeRgb(mouth, region, softEdge, softSides({ width, height }, region));
    const found = coder.source();
    const expected = place(under, mouth, region, softEdge);
    for (const plane of ["y", "u", "v"] as const) {
      for (const [i, value] of expected[plane].entries()) {
        const isNear = Math.abs(found[plane][i]! - value) <= 1;
        assert.ok(isNear, `${plane} ${i} of ${JSON.stringify({ n, region, softEdge })}`);
      }
    }
  }
});

test("odd sizes are refused", () => {
  const converter = new PictureConverter();
  const data = new Uint8Array(15 * 16 * 3);
  assert.throws(() => converter.convert({ width: 15, height: 16, data }), RangeError);
});
