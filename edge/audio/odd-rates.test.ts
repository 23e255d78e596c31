import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "./resampler.ts";

const AMPLITUDE = 0.5;

function sine(rate: number, hz: number, seconds = 0.5): Float64Array {
  const samples = new Float64Array(Math.round(rate * seconds));
  return samples.map((_, n) => AMPLITUDE * Math.sin((2 * Math.PI * hz * n) / rate));
}

function resample(rate: number, input: Float64Array, cut: (left: number) => number): Float64Array {
  const resampler = new Resampler(rate);
  const output: number[] = [];
  for (let from = 0; from < input.length; ) {
    const size = Math.max(1, cut(input.length - from));
    output.push(...resampler.push(input.subarray(from, from + size)));
    from += size;
  }
  return Float64Array.from([...output, ...resampler.flush()]);
}

/** Signal to noise in dB, away from the ends. */
function quality(output: Float64Array, hz: number): number {
  let signal = 0;
  let noise = 0;
  for (let n = 800; n < output.length - 800; n++) {
    const expected = AMPLITUDE * Math.sin((2 * Math.PI * hz * n) / 16_000);
    signal += expected ** 2;
    noise += (output[n]! - expected) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

function power(output: Float64Array): number {
  const middle = output.subarray(800, output.length - 800);
  return 10 * Math.log10(middle.reduce((sum, x) => sum + x * x, 1e-20) / middle.length);
}

/** A fixed sequence of "random" numbers (Numerical Recipes' generator). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

// Most of these share no large divisor with 16000, so the filter is interpolated.
for (const rate of [8001, 11_025, 12_345, 15_999, 16_001, 44_101, 47_999, 95_999]) {
  test(`${rate} Hz keeps what fits, stops what does not, in time`, (t) => {
    const whole = (left: number) => left;
    for (const hz of [100, 1000, 3500]) {
      const output = resample(rate, sine(rate, hz), whole);
      assert.equal(output.length, Math.ceil((Math.round(rate / 2) * 16_000) / rate));
      const decibels = quality(output, hz);
      t.diagnostic(`${hz} Hz: ${decibels.toFixed(1)} dB`);
      assert.ok(decibels > 75, `${decibels} dB at ${hz} Hz`);
    }
    if (rate < 24_000) return;
    const limit = power(sine(16_000, 1000)) - 75;
    for (const hz of [8100, 12_000, 20_000]) {
      const left = power(resample(rate, sine(rate, hz), whole));
      assert.ok(left < limit, `${hz} Hz leaves ${left} dB`);
    }
  });
}

test("the samples do not depend on random cuts", () => {
  const next = numbers(7);
  for (const rate of [8000, 12_345, 44_100, 95_999]) {
    const input = Float64Array.from({ length: 9000 }, () => next() - 0.5);
    const whole = resample(rate, input, (left) => left);
    for (let round = 0; round < 5; round++) {
      const largest = 1 + Math.floor(2000 * next());
      assert.deepEqual(
        resample(rate, input, () => Math.ceil(largest * next())),
        whole,
      );
    }
  }
});

test("a constant stays what it is", () => {
  for (const rate of [8000, 12_345, 95_999]) {
    const output = resample(rate, new Float64Array(rate).fill(0.25), (left) => left);
    for (const value of output.subarray(1000, 14_000)) assert.ok(Math.abs(value - 0.25) < 1e-6);
  }
});
