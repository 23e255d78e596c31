import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { softSides } from "../band.ts";
import { MacroblockCoder } from "./macroblock-coder.ts";
import { MouthPlacer } from "./mouth-placer.ts";
import { pictureOf } from "./picture.ts";
import { PictureConverter } from "./rgb-to-picture.ts";

const noise = (random: SeededRandom, length: number) =>
  Uint8Array.from({ length }, () => random.below(256));

test("a mouth is blended as the splice blends it, sample by sample", () => {
  const random = new SeededRandom(5);
  const openSides = { left: true, top: true, right: true, bottom: true };
  const [width, height] = [64, 48];
  const coder = new MacroblockCoder({ columns: 4, rows: 3, openSides, forbidden: null });
  const placer = new MouthPlacer();
  for (let n = 0; n < 100; n++) {
    const background = noise(random, width * height * 1.5);
    const before = background.slice();
    const [x, y] = [random.below(width), random.below(height)];
    const size = { width: 1 + random.below(width - x), height: 1 + random.below(height - y) };
    const region = { x, y, ...size };
    const softEdge = random.below(2) * random.below(30);
    const mouth = noise(random, region.width * region.height * 3);
    coder.setSource(pictureOf(background, width, height), { x: 0, y: 0 });
    coder.placeRgb(mouth, region, softEdge, softSides({ width, height }, region));
    const wanted = coder.source();
    const found = placer.place(background, mouth, { width, height, region, softEdge });
    const picture = pictureOf(found, width, height);
    for (const plane of ["y", "u", "v"] as const) {
      assert.deepEqual(picture[plane], Uint8Array.from(wanted[plane]), `${plane} of ${n}`);
    }
    assert.deepEqual(background, before);
  }
});

test("a hard edge at even places gives the picture of the frame with its mouth", () => {
  const random = new SeededRandom(6);
  // No multiples of 16: rows end where they end.
  const [width, height] = [54, 38];
  const region = { x: 10, y: 8, width: 26, height: 20 };
  const frame = noise(random, width * height * 3);
  const mouth = noise(random, region.width * region.height * 3);
  const converter = new PictureConverter();
  const bytesOf = (data: Uint8Array) => {
    const { y, u, v } = converter.convert({ width, height, data });
    return Uint8Array.from([...y, ...u, ...v]);
  };
  const background = bytesOf(frame);
  for (let row = 0; row < region.height; row++) {
    const from = mouth.subarray(3 * region.width * row, 3 * region.width * (row + 1));
    frame.set(from, 3 * ((region.y + row) * width + region.x));
  }
  const options = { width, height, region, softEdge: 0 };
  assert.deepEqual(new MouthPlacer().place(background, mouth, options), bytesOf(frame));
});

test("what is not of its size is refused", () => {
  const placer = new MouthPlacer();
  const options = { width: 32, height: 16, region: { x: 0, y: 0, width: 4, height: 4 } };
  const place = (picture: number, mouth: number) =>
    placer.place(new Uint8Array(picture), new Uint8Array(mouth), { ...options, softEdge: 0 });
  assert.throws(() => place(767, 48), RangeError);
  assert.throws(() => place(768, 47), RangeError);
});
