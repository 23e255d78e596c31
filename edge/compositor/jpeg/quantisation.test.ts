import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { quantisationTables } from "./quantisation.ts";

test("the tables of libjpeg at every quality", async () => {
  const raw = { width: 8, height: 8, channels: 3 as const };
  for (let quality = 1; quality <= 100; quality++) {
    const file = await sharp(new Uint8Array(8 * 8 * 3), { raw })
      .jpeg({ quality })
      .toBuffer();
    const ours = quantisationTables(quality);
    for (const [id, table] of [ours.subarray(0, 64), ours.subarray(64)].entries()) {
      const at = file.indexOf(Uint8Array.of(0xff, 0xdb, 0, 67, id));
      assert.deepEqual(Uint8Array.from(file.subarray(at + 5, at + 69)), table);
    }
  }
});
