import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "./resampler.ts";

const sine = (hertz: number, rate: number, length: number) =>
  Float32Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * hertz * n) / rate));

/** Amplitude of `hertz` in `samples`, and the rest's root mean square. */
function measure(samples: Float32Array, hertz: number, rate: number) {
  let [a, b] = [0, 0];
  for (const [n, sample] of samples.entries()) {
    a += (2 * sample * Math.sin((2 * Math.PI * hertz * n) / rate)) / samples.length;
    b += (2 * sample * Math.cos((2 * Math.PI * hertz * n) / rate)) / samples.length;
  }
  let rest = 0;
  for (const [n, sample] of samples.entries()) {
    const phase = (2 * Math.PI * hertz * n) / rate;
    rest += (sample - a * Math.sin(phase) - b * Math.cos(phase)) ** 2;
  }
  return { amplitude: Math.hypot(a, b), rest: Math.sqrt(rest / samples.length) };
}

/** A second, without its ends. */
function changed(from: number, to: number, hertz: number): Float32Array {
  const output = new Resampler(from, to).process(sine(hertz, from, from));
  const tenth = to / 10;
  return output.slice(tenth, tenth + to / 2);
}

for (const [from, to] of [
  [48_000, 16_000],
  [44_100, 16_000],
  [16_000, 48_000],
  [16_000, 16_000],
] as const) {
  test(`${from} to ${to} Hz: speech stays, and nothing is added`, () => {
    for (const hertz of [200, 1000, 4000, 6000]) {
      const { amplitude, rest } = measure(changed(from, to, hertz), hertz, to);
      assert.ok(Math.abs(amplitude - 1) < 0.02, `${hertz} Hz has ${amplitude}`);
      assert.ok(rest < 0.01, `beside ${hertz} Hz there is ${rest}`);
    }
  });
}

test("what the lower rate cannot hold is gone, not folded", () => {
  for (const [from, hertz] of [
    [48_000, 9000],
    [48_000, 15_000],
    [44_100, 12_000],
  ] as const) {
    const output = changed(from, 16_000, hertz);
    const loudest = output.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    assert.ok(loudest < 0.02, `${hertz} Hz is heard with ${loudest}`);
  }
});

test("pieces give what the whole gives, and no sample is lost", () => {
  for (const [from, to] of [
    [48_000, 16_000],
    [44_100, 16_000],
    [16_000, 48_000],
  ] as const) {
    const input = sine(440, from, from);
    const whole = new Resampler(from, to).process(input);
    const resampler = new Resampler(from, to);
    const pieces: number[] = [];
    for (let at = 0; at < input.length; at += 128) {
      pieces.push(...resampler.process(input.subarray(at, at + 128)));
    }
    assert.ok(Math.abs(whole.length - to) < 50, `${whole.length} samples`);
    assert.equal(pieces.length, whole.length);
    // Places are summed up differently: the nearest of 128 filters may be the next one.
    for (const [n, sample] of whole.entries()) assert.ok(Math.abs(sample - pieces[n]!) < 1e-3);
  }
});
