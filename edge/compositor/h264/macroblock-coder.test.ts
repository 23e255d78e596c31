import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { randomPicture, TEXTURES } from "../../../test/support/h264-streams.ts";
import { TinyH264 } from "../../../test/support/tiny-h264.ts";
import { AccessUnitWriter } from "./access-unit.ts";
import { MacroblockCoder } from "./macroblock-coder.ts";
import { macroblockSize } from "./parameter-sets.ts";
import { planesOf } from "./picture.ts";
import { sliceHeader } from "./slice-header.ts";

const openSides = { left: true, top: true, right: true, bottom: true };

test("whole pictures, cut anywhere into slices, with quantisers that differ", async () => {
  const tiny = await TinyH264.open();
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SeededRandom(seed);
    const width = 2 * (8 + random.below(60));
    const height = 2 * (8 + random.below(60));
    const size = macroblockSize({ width, height });
    const count = size.columns * size.rows;
    const coder = new MacroblockCoder({ ...size, openSides, forbidden: null });
    const writer = new AccessUnitWriter({
      width,
      height,
      framesPerSecond: 25,
      maxKilobitsPerSecond: 100,
    });
    const texture = random.pick(TEXTURES);
    for (let n = 0; n < 6; n++) {
      const isIdr = n === 0;
      const qp = 12 + random.below(32);
      const isDeblocked = random.below(4) > 0;
      const effort = random.pick(["live", "offline"] as const);
      const offsets = Int8Array.from({ length: count }, () => random.below(5) - 2);
      coder.setQpOffsets(random.below(2) === 0 ? offsets : null);
      coder.setSource(randomPicture(random, width, height, texture, n), { x: 0, y: 0 });
      writer.begin(isIdr);
      for (let first = 0; first < count; ) {
        const length = Math.min(count - first, 1 + random.below(count));
        const type = isIdr ? "I" : random.pick(["P", "P", "P-intra"] as const);
        const header = sliceHeader({
          firstMacroblock: first,
          isIdr,
          frameNum: n,
          idrParity: 0,
          qp,
          isDeblocked,
        });
        const rbsp = coder.codeSlice({
          first,
          count: length,
          type,
          qp,
          effort,
          header: header.bytes(),
          headerBits: header.length,
          isDeblocked,
        });
        writer.put(rbsp);
        first += length;
      }
      coder.finishPicture();
      const decoded = tiny.decode(Buffer.concat(writer.finish()));
      const own = Buffer.concat(planesOf(coder.reconstruction()).map(({ data }) => data));
      const where = JSON.stringify({ seed, n, width, height, texture, qp, effort });
      assert.equal(Buffer.compare(own, decoded), 0, where);
    }
  }
});

test("levels that need escape codes, and macroblocks that are cheaper as they are", async () => {
  const tiny = await TinyH264.open();
  const random = new SeededRandom(5);
  const coder = new MacroblockCoder({ columns: 4, rows: 4, openSides, forbidden: null });
  const writer = new AccessUnitWriter({
    width: 64,
    height: 64,
    framesPerSecond: 25,
    maxKilobitsPerSecond: 100,
  });
  for (const texture of ["checkerboard", "noise"] as const) {
    const request = { qp: 10, isDeblocked: true } as const;
    const header = sliceHeader({
      firstMacroblock: 0,
      isIdr: true,
      frameNum: 0,
      idrParity: texture === "noise" ? 0 : 1,
      ...request,
    });
    coder.setSource(randomPicture(random, 64, 64, texture, 0), { x: 0, y: 0 });
    writer.begin(true);
    const rbsp = coder.codeSlice({
      first: 0,
      count: 16,
      type: "I",
      effort: "offline",
      header: header.bytes(),
      headerBits: header.length,
      ...request,
    });
    // 3,200 bits a macroblock at most (A.3.1), and the header.
    assert.ok(rbsp.length <= 16 * 400 + 16, `${rbsp.length} bytes of ${texture}`);
    writer.put(rbsp);
    coder.finishPicture();
    const decoded = tiny.decode(Buffer.concat(writer.finish()));
    const own = Buffer.concat(planesOf(coder.reconstruction()).map(({ data }) => data));
    assert.equal(Buffer.compare(own, decoded), 0, texture);
  }
});
