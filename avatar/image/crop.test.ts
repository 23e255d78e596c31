import assert from "node:assert/strict";
import { test } from "node:test";
import { cropRgb, rgbaToRgb } from "./crop.ts";
import type { RgbImage } from "./types.ts";

/** Each value says where it is. */
const image: RgbImage = {
  width: 4,
  height: 3,
  data: Uint8Array.from({ length: 36 }, (_, i) => i),
};

test("crops rows and columns", () => {
  const crop = cropRgb(image, { x: 1, y: 1, width: 2, height: 2 });
  assert.deepEqual([...crop.data], [15, 16, 17, 18, 19, 20, 27, 28, 29, 30, 31, 32]);
  assert.deepEqual(cropRgb(image, { x: 0, y: 0, width: 4, height: 3 }).data, image.data);
});

test("refuses what leaves the picture", () => {
  for (const [x, y, width, height] of [
    [-1, 0, 2, 2],
    [0, -1, 2, 2],
    [3, 0, 2, 2],
    [0, 2, 2, 2],
  ] as const) {
    assert.throws(() => cropRgb(image, { x, y, width, height }), RangeError);
  }
});

test("alpha goes, colours stay", () => {
  const rgba = { width: 2, height: 1, data: new Uint8ClampedArray([1, 2, 3, 0, 4, 5, 6, 128]) };
  assert.deepEqual(rgbaToRgb(rgba), {
    width: 2,
    height: 1,
    data: new Uint8Array([1, 2, 3, 4, 5, 6]),
  });
});
