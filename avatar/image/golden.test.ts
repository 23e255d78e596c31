import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { createImageCodecs } from "./codecs.ts";
import { cropRgb, rgbaToRgb } from "./crop.ts";
import { CubicResizer } from "./resize.ts";
import type { RgbImage } from "./types.ts";

const golden = new URL("../../../shared/golden/synctalk/", import.meta.url);
/** Rectangle of background 3 in expected.json. */
const RECTANGLE = { x: 289, y: 208, width: 180, height: 180 };

test("the reference crop is SyncTalk_2D's own", async (t) => {
  if (!existsSync(golden)) {
    t.diagnostic("no golden data beside the repository: the comparison did not run");
    return;
  }
  const codecs = createImageCodecs();
  const load = async (name: string) =>
    rgbaToRgb(await codecs.decode(readFileSync(new URL(name, golden))));
  const frame = await load("dataset/full_body_img/3.jpg");
  const crop = new CubicResizer().resize(cropRgb(frame, RECTANGLE), 328, 328);
  const inner = cropRgb(crop, { x: 4, y: 4, width: 320, height: 320 });
  const reference = compare(inner, await load("reference_3.png"));
  t.diagnostic(`reference: mean difference ${reference.mean}, largest ${reference.largest}`);
  assert.ok(reference.largest <= 1 && reference.mean < 0.001);

  for (let y = 5; y <= 309; y++) {
    inner.data.fill(0, (y * 320 + 5) * 3, (y * 320 + 315) * 3);
  }
  const masked = compare(inner, await load("masked_3.png"));
  t.diagnostic(`masked: mean difference ${masked.mean}, largest ${masked.largest}`);
  assert.ok(masked.largest <= 1 && masked.mean < 0.001);
});

function compare(a: RgbImage, b: RgbImage): { largest: number; mean: number } {
  assert.deepEqual([a.width, a.height], [b.width, b.height]);
  const differences = a.data.map((value, i) => Math.abs(value - b.data[i]!));
  const sum = differences.reduce((total, d) => total + d, 0);
  return { largest: differences.reduce((m, d) => Math.max(m, d), 0), mean: sum / a.data.length };
}
