import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encoderWindowCount,
  encoderWindowStart,
  encoderWindowsForFrames,
  frameCount,
  framesDecidedBy,
  melRowCount,
  samplesForFrames,
  samplesForFramesWithin,
} from "./speech-timing.ts";

test("the golden utterance: 86,951 samples are 435 mel rows, 132 windows, 134 frames", () => {
  assert.equal(melRowCount(86_951), 435);
  assert.equal(encoderWindowCount(435), 132);
  assert.equal(frameCount(86_951), 134);
});

test("even one sample gives frames", () => {
  assert.equal(melRowCount(1), 16);
  assert.equal(frameCount(1), 4);
});

test("a frame looks 385 ms back and 452 ms ahead", () => {
  const frame = 100;
  const { start, end } = samplesForFrames(frame, frame + 1);
  const ownTime = frame * 640;
  assert.ok(Math.abs((ownTime - start) / 16 - 385) < 20, `${(ownTime - start) / 16} ms back`);
  assert.ok(Math.abs((end - ownTime) / 16 - 452) < 20, `${(end - ownTime) / 16} ms ahead`);
});

test("the first windows are doubled, not taken from before the start", () => {
  assert.deepEqual(encoderWindowsForFrames(0, 1), { start: 0, end: 7 });
  assert.deepEqual(encoderWindowsForFrames(20, 25), { start: 11, end: 31 });
});

test("decided frames are exactly those whose samples have arrived", () => {
  for (let samples = 0; samples < 60_000; samples += 137) {
    const frames = framesDecidedBy(samples);
    if (frames > 0) assert.ok(samplesForFrames(frames - 1, frames).end <= samples);
    assert.ok(samplesForFrames(frames, frames + 1).end > samples);
  }
});

test("what is decided does not change when the utterance ends later", () => {
  for (let samples = 12_000; samples < 40_000; samples += 311) {
    const frames = framesDecidedBy(samples);
    const rows = melRowCount(samples);
    const { end } = encoderWindowsForFrames(0, frames);
    assert.ok(end <= encoderWindowCount(rows), "the window exists");
    assert.ok(encoderWindowStart(end - 1) <= rows - 16, "and is not moved back");
  }
});

test("the end of an utterance needs no samples beyond it", () => {
  const total = 30_001;
  const last = frameCount(total);
  const range = samplesForFramesWithin(last - 1, last, total);
  assert.equal(range.end, total);
  assert.ok(range.start >= 0 && range.start < total);
});
