import assert from "node:assert/strict";
import { test } from "node:test";
import { RealFft } from "./fft.ts";

/** The definition, in O(n^2). */
function directMagnitudes(input: Float64Array): Float64Array {
  const n = input.length;
  return Float64Array.from({ length: n / 2 + 1 }, (_, k) => {
    let re = 0;
    let im = 0;
    for (let t = 0; t < n; t++) {
      re += input[t]! * Math.cos((2 * Math.PI * k * t) / n);
      im -= input[t]! * Math.sin((2 * Math.PI * k * t) / n);
    }
    return Math.hypot(re, im);
  });
}

test("magnitudes are those of the definition, for every kind of factor", () => {
  for (const size of [2, 8, 12, 30, 56, 98, 800]) {
    const input = Float64Array.from({ length: size }, (_, t) => Math.sin(t * t) + 0.3);
    const magnitudes = new Float64Array(size / 2 + 1);
    new RealFft(size).magnitudes(input, magnitudes);
    for (const [k, expected] of directMagnitudes(input).entries()) {
      assert.ok(Math.abs(magnitudes[k]! - expected) < 1e-9, `size ${size}, bin ${k}`);
    }
  }
});

test("lengths it has no butterflies for are refused", () => {
  assert.throws(() => new RealFft(22), RangeError);
});
