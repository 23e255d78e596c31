import assert from "node:assert/strict";
import { test } from "node:test";
import { frameCount, samplesForFrames } from "../../avatar/speech-timing.ts";
import { checkSpeechWindow } from "./speech-window.ts";

const window = (start: number, length: number, utteranceSamples: number | null) => ({
  samples: new Int16Array(length),
  start,
  utteranceSamples,
});

test("exactly the samples that are needed are enough, one fewer is not", () => {
  const { start, end } = samplesForFrames(40, 45);
  checkSpeechWindow(window(start, end - start, null), 40, 45);
  assert.throws(
    () => checkSpeechWindow(window(start + 1, end - start - 1, null), 40, 45),
    /depend on samples/,
  );
  assert.throws(
    () => checkSpeechWindow(window(start, end - start - 1, null), 40, 45),
    /depend on samples/,
  );
});

test("what contradicts itself is refused", () => {
  const total = 20_000;
  const frames = frameCount(total);
  checkSpeechWindow(window(0, total, total), 0, frames);
  assert.throws(() => checkSpeechWindow(window(0, total, total), 0, frames + 1), /has \d+ at 25/);
  assert.throws(() => checkSpeechWindow(window(0, total, total - 1), 0, 1), /beyond the utterance/);
  assert.throws(() => checkSpeechWindow(window(0, 0, 0), 0, 1), /no samples/);
  assert.throws(() => checkSpeechWindow(window(0, total, 2 ** 40), 0, 1), /ten hours/);
});
