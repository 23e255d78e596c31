import assert from "node:assert/strict";
import { test } from "node:test";
import { BitWriter } from "./bit-writer.ts";
import { declareColours } from "./declare-colours.ts";
import { NAL_SEQUENCE_PARAMETERS, nalUnit } from "./nal-unit.ts";
import { sequenceParameterSet } from "./parameter-sets.ts";

const FORMAT = { width: 722, height: 974, framesPerSecond: 25, maxKilobitsPerSecond: 900 };
const own = nalUnit(NAL_SEQUENCE_PARAMETERS, sequenceParameterSet(FORMAT));

interface Said {
  readonly usability: boolean;
  readonly aspect?: boolean;
  readonly colours?: "none" | "BT.601" | "BT.709";
}

/** As x264 writes it for High: chroma, a picture order, cropping, and timing at the end. */
function high({ usability, aspect = false, colours = "none" }: Said): Uint8Array<ArrayBuffer> {
  const bits = new BitWriter();
  for (const byte of [100, 0, 31]) bits.put(byte, 8);
  for (const value of [0, 1, 0, 0]) bits.ue(value); // id, 4:2:0, depths
  bits.put(0, 2);
  for (const value of [0, 0, 2, 1]) bits.ue(value); // frame_num, order and its bits, references
  bits.flag(false);
  for (const value of [45, 60]) bits.ue(value);
  bits.put(0b111, 3); // frames, direct_8x8, cropping
  for (const value of [0, 7, 0, 1]) bits.ue(value);
  bits.flag(usability);
  if (!usability) return nalUnit(NAL_SEQUENCE_PARAMETERS, bits.end());
  bits.flag(aspect);
  if (aspect) {
    bits.put(255, 8);
    bits.put(0x0004_0003, 32);
  }
  bits.put(0b11, 2); // overscan
  if (colours === "none") bits.flag(false);
  else {
    const code = colours === "BT.601" ? 6 : 1;
    bits.put(1, 1);
    bits.put(0b101_0_1, 5);
    for (let n = 0; n < 3; n++) bits.put(code, 8);
  }
  bits.flag(false);
  bits.flag(true); // timing: zeros enough for emulation prevention
  bits.put(1, 32);
  bits.put(50, 32);
  bits.put(0b0_0_0_0_0, 5);
  return nalUnit(NAL_SEQUENCE_PARAMETERS, bits.end());
}

test("what a set says beside its colours stays, whatever it said of them", () => {
  for (const aspect of [false, true]) {
    const wanted = high({ usability: true, aspect, colours: "BT.709" });
    for (const colours of ["none", "BT.601", "BT.709"] as const) {
      assert.deepEqual(declareColours(high({ usability: true, aspect, colours })), wanted);
    }
  }
});

test("a set of our own is as it was", () => {
  assert.deepEqual(declareColours(own), own);
});

test("one that said nothing says it", () => {
  const found = declareColours(high({ usability: false }));
  assert.ok(found.length > high({ usability: false }).length);
  assert.deepEqual(declareColours(found), found);
});

test("what is cut off or not understood is refused", () => {
  assert.throws(() => declareColours(own.subarray(0, 8)), RangeError);
  const scaled = high({ usability: true });
  // seq_scaling_matrix_present_flag, behind 1 + 3 + 1 + 1 + 1 bits.
  scaled[8]! |= 1;
  assert.throws(() => declareColours(scaled), /scaling/);
});
