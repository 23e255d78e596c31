import assert from "node:assert/strict";
import { test } from "node:test";
import { BitReader } from "../../../test/support/bit-reader.ts";
import { patchSlice, sliceHeader } from "./slice-header.ts";

test("a slice is told its picture after it was coded", () => {
  for (const first of [0, 1, 2, 6, 7, 1439, 2744, 36_863]) {
    for (const isIdr of [false, true]) {
      const bits = sliceHeader({
        firstMacroblock: first,
        isIdr,
        frameNum: 0,
        idrParity: 0,
        qp: 31,
        isDeblocked: true,
      });
      const rbsp = bits.end();
      for (const [frameNum, parity] of [
        [15, 1],
        [0, 0],
        [6, 1],
      ] as const) {
        patchSlice(rbsp, first, isIdr, frameNum, parity);
        const reader = new BitReader(rbsp);
        assert.equal(reader.ue(), first);
        assert.equal(reader.ue(), isIdr ? 2 : 0);
        assert.equal(reader.ue(), 0);
        assert.equal(reader.u(4), frameNum);
        if (isIdr) assert.equal(reader.ue(), 1 + parity);
        assert.equal(reader.u(isIdr ? 2 : 3), 0);
        assert.equal(reader.se(), 1);
        assert.equal(reader.ue(), 2);
        assert.deepEqual([reader.se(), reader.se(), reader.bit()], [0, 0, 1]);
      }
    }
  }
});
