import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../test/fuzz/random.ts";
import { rbspOf } from "../../../test/support/bit-reader.ts";
import { maxNalBytes, NAL_SLICE, nalUnit } from "./nal-unit.ts";

const body = (...rbsp: number[]) => [...nalUnit(NAL_SLICE, Uint8Array.from(rbsp)).subarray(5)];

test("a byte 3 keeps start codes apart (7.4.1)", () => {
  assert.deepEqual(body(0, 0, 0), [0, 0, 3, 0]);
  assert.deepEqual(body(0, 0, 1), [0, 0, 3, 1]);
  assert.deepEqual(body(0, 0, 2), [0, 0, 3, 2]);
  assert.deepEqual(body(0, 0, 3), [0, 0, 3, 3]);
  assert.deepEqual(body(0, 0, 4), [0, 0, 4]);
  assert.deepEqual(body(0, 0, 0, 0, 0, 1), [0, 0, 3, 0, 0, 3, 0, 1]);
  assert.deepEqual(body(7, 0, 0), [7, 0, 0]);
});

test("a start code and the header come first", () => {
  assert.deepEqual([...nalUnit(0x65, Uint8Array.of(9))], [0, 0, 0, 1, 0x65, 9]);
});

test("whatever is in it comes back, and no start code is in it", () => {
  const random = new SeededRandom(7);
  for (let n = 0; n < 500; n++) {
    const rbsp = Uint8Array.from({ length: random.below(300) }, () =>
      random.below(4) === 0 ? random.below(256) : random.below(4) * random.below(2),
    );
    const unit = nalUnit(NAL_SLICE, rbsp);
    assert.ok(unit.length <= maxNalBytes(rbsp.length));
    assert.deepEqual(rbspOf(unit), rbsp);
    for (let at = 5; at + 2 < unit.length; at++) {
      const isForbidden = unit[at] === 0 && unit[at + 1] === 0 && unit[at + 2]! < 3;
      assert.ok(!isForbidden, `start code at ${at}`);
    }
  }
});
