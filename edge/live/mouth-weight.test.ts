import assert from "node:assert/strict";
import { test } from "node:test";
import { mouthWeight } from "./mouth-weight.ts";

/** Weights of all frames of a segment in which those frames are heard. */
function weights(mouthFrames: number, loud: (frame: number) => boolean, from = 0): string {
  const isLoud = (frame: number) => frame >= 0 && frame < mouthFrames && loud(frame);
  const speech = { isEnded: true, mouthFrames, isLoud };
  return Array.from({ length: mouthFrames }, (_, n) => mouthWeight(speech, n, from)).join("");
}

test("a mouth enters and leaves over three frames", () => {
  assert.equal(
    weights(12, () => true),
    "123444444321",
  );
  assert.equal(
    weights(4, () => true),
    "1221",
  );
  assert.equal(
    weights(12, () => true, 5),
    "000001234321",
  );
});

test("it opens before a sound, holds for a moment, and closes in silence", () => {
  assert.equal(
    weights(24, (n) => n === 10),
    "000000012344432100000000",
  );
});

test("a short pause between words closes it a little, if at all", () => {
  const lowest = (gap: number) =>
    Math.min(...[...weights(60, (n) => n < 20 || n >= 20 + gap).slice(10, 50)].map(Number));
  assert.equal(lowest(2), 4);
  assert.ok(lowest(4) >= 3);
  assert.equal(lowest(12), 0);
});

test("while the end is not known, nothing leaves", () => {
  const speech = { isEnded: false, mouthFrames: 10, isLoud: () => true };
  assert.equal(mouthWeight(speech, 9, 0), 4);
});
