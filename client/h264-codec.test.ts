import assert from "node:assert/strict";
import { test } from "node:test";
import { h264Codec } from "./h264-codec.ts";

test("profile, constraints and level are those of the sequence parameter set", () => {
  const delimiter = [0, 0, 0, 1, 0x09, 0x10];
  const set = [0x67, 0x42, 0xc0, 0x0d, 0x95];
  assert.equal(h264Codec(Uint8Array.of(0, 0, 0, 1, ...set)), "avc1.42c00d");
  assert.equal(h264Codec(Uint8Array.of(...delimiter, 0, 0, 1, ...set)), "avc1.42c00d");
});

test("without a sequence parameter set, or with a part of one, there is none", () => {
  assert.equal(h264Codec(Uint8Array.of(0, 0, 0, 1, 0x41, 0x9a, 0x02, 0x03, 0x04)), null);
  assert.equal(h264Codec(Uint8Array.of(0, 0, 0, 1, 0x67, 0x42, 0xc0)), null);
  assert.equal(h264Codec(new Uint8Array(0)), null);
});
