import assert from "node:assert/strict";
import { test } from "node:test";
import { BitReader } from "../../../test/support/bit-reader.ts";
import { codecString, pictureParameterSet, sequenceParameterSet } from "./parameter-sets.ts";

const format = (width: number, height: number, framesPerSecond = 25, rate = 1000) => ({
  width,
  height,
  framesPerSecond,
  maxKilobitsPerSecond: rate,
});

test("a portrait of 704x1216 is level 3.1 of Constrained Baseline", () => {
  assert.equal(codecString(format(704, 1216)), "avc1.42C01F");
});

test("levels follow the size, the rate and the frames per second (Table A-1)", () => {
  assert.equal(codecString(format(176, 144, 15, 64)), "avc1.42C00A");
  assert.equal(codecString(format(176, 144, 30, 64)), "avc1.42C00B");
  assert.equal(codecString(format(640, 480)), "avc1.42C01E");
  assert.equal(codecString(format(1280, 720)), "avc1.42C01F");
  assert.equal(codecString(format(1280, 720, 50)), "avc1.42C020");
  assert.equal(codecString(format(1920, 1080)), "avc1.42C028");
  assert.equal(codecString(format(1920, 1080, 25, 30_000)), "avc1.42C02A");
  assert.throws(() => codecString(format(16_384, 16_384)), /no level/);
});

test("sizes that are not whole macroblocks are cropped", () => {
  const bits = new BitReader(sequenceParameterSet(format(126, 90)));
  assert.deepEqual([bits.u(8), bits.u(8)], [66, 0xc0]);
  bits.u(8);
  // Up to the number of reference frames and gaps.
  assert.deepEqual([bits.ue(), bits.ue(), bits.ue(), bits.ue(), bits.bit()], [0, 0, 2, 1, 0]);
  assert.deepEqual([bits.ue() + 1, bits.ue() + 1], [8, 6]);
  assert.deepEqual([bits.bit(), bits.bit(), bits.bit()], [1, 1, 1]);
  assert.deepEqual([bits.ue(), bits.ue(), bits.ue(), bits.ue()], [0, 1, 0, 3]);
});

test("odd sizes are refused", () => {
  assert.throws(() => sequenceParameterSet(format(127, 90)), /even/);
});

test("the picture parameter set lets slices steer the deblocking filter", () => {
  const bits = new BitReader(pictureParameterSet());
  assert.deepEqual([bits.ue(), bits.ue(), bits.bit(), bits.bit(), bits.ue()], [0, 0, 0, 0, 0]);
  assert.deepEqual([bits.ue(), bits.ue(), bits.bit(), bits.u(2)], [0, 0, 0, 0]);
  assert.deepEqual([bits.se(), bits.se(), bits.se()], [4, 0, 0]);
  assert.deepEqual([bits.bit(), bits.bit(), bits.bit(), bits.bit()], [1, 0, 0, 1]);
});
