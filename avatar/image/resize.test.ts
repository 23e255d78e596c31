import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createImageCodecs } from "./codecs.ts";
import { cropRgb, rgbaToRgb } from "./crop.ts";
import { CubicResizer } from "./resize.ts";

const golden = fileURLToPath(new URL("../../../shared/golden/synctalk/", import.meta.url));

/** The definition in floating point, without fixed-point weights. */
function directResize(data: Uint8Array, from: number, to: number): number[] {
  const kernel = (d: number) => {
    const x = Math.abs(d);
    if (x <= 1) return 1.25 * x ** 3 - 2.25 * x ** 2 + 1;
    return x < 2 ? -0.75 * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
  };
  return Array.from({ length: to }, (_, n) => {
    const centre = ((n + 0.5) * from) / to - 0.5;
    let sum = 0;
    for (let i = Math.floor(centre) - 1; i <= Math.floor(centre) + 2; i++) {
      sum += kernel(centre - i) * data[3 * Math.min(from - 1, Math.max(0, i))]!;
    }
    return Math.min(255, Math.max(0, sum));
  });
}

test("follows the cubic of OpenCV, borders repeated, in both directions", () => {
  const resizer = new CubicResizer();
  for (const [from, to] of [
    [328, 201],
    [97, 328],
    [5, 17],
    [1, 9],
  ] as const) {
    const row = Uint8Array.from({ length: 3 * from }, (_, i) => (Math.floor(i / 3) * 83) % 256);
    const expected = directResize(row, from, to);
    const wide = resizer.resize({ width: from, height: 1, data: row }, to, 1);
    const tall = resizer.resize({ width: 1, height: from, data: row }, 1, to);
    assert.deepEqual(tall.data, wide.data);
    for (const [n, value] of expected.entries()) {
      assert.ok(Math.abs(wide.data[3 * n]! - value) <= 1, `${from} to ${to}, ${n}`);
    }
  }
});

test("the same size is the same picture", () => {
  const data = Uint8Array.from({ length: 3 * 20 * 10 }, (_, i) => (i * 37) % 256);
  assert.deepEqual(new CubicResizer().resize({ width: 20, height: 10, data }, 20, 10).data, data);
});

test("the reference crop of the original within 1", async (t) => {
  if (!existsSync(golden)) {
    t.diagnostic("the golden data is not here: the comparison did not run");
    return;
  }
  const codecs = createImageCodecs();
  const read = async (name: string) => rgbaToRgb(await codecs.decode(readFileSync(golden + name)));
  const frame = await read("dataset/full_body_img/3.jpg");
  const landmarks = readFileSync(`${golden}dataset/landmarks/3.lms`, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" ").map((value) => Math.trunc(Number(value))));
  const [x, y] = [landmarks[1]![0]!, landmarks[52]![1]!];
  const side = landmarks[31]![0]! - x;
  const crop = cropRgb(frame, { x, y, width: side, height: side });
  const large = new CubicResizer().resize(crop, 328, 328);
  const inner = cropRgb(large, { x: 4, y: 4, width: 320, height: 320 });
  const expected = await read("reference_3.png");
  const largest = inner.data.reduce(
    (most, v, i) => Math.max(most, Math.abs(v - expected.data[i]!)),
    0,
  );
  assert.ok(largest <= 1, String(largest));
});
