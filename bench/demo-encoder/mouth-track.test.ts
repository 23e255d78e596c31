import assert from "node:assert/strict";
import { test } from "node:test";
import { VISEME, VISEME_COUNT, type VisemeName } from "../../avatar/demo/viseme.ts";
import { phonemeParts } from "./mouth-shapes.ts";
import { mouthTrack, TRACK_RATE } from "./mouth-track.ts";
import { resample } from "./resample.ts";

const RATE = 16_000;

/** Speech of constant loudness whose sounds begin at the given times. */
function track(phonemes: [startMs: number, ipa: string][], silentMs?: [number, number]) {
  const end = phonemes.at(-1)![0] + 200;
  const samples = new Float32Array((RATE * end) / 1000).fill(0.3);
  if (silentMs) samples.fill(0, (silentMs[0] * RATE) / 1000, (silentMs[1] * RATE) / 1000);
  const { targets, letters } = mouthTrack({
    samples,
    sampleRate: RATE,
    phonemes: phonemes.map(([startMs, ipa]) => ({ startMs, ipa })),
  });
  const step = (ms: number) => Math.round((ms * TRACK_RATE) / 1000);
  return {
    at: (ms: number, name: VisemeName) => targets[step(ms) * VISEME_COUNT + VISEME[name]]!,
    letterAt: (ms: number) => letters[step(ms)],
  };
}

test("a diphthong moves from its first vowel to its second", () => {
  const parts = phonemeParts("aɪ").map(({ letter }) => letter);
  assert.deepEqual(parts, ["a", "ɪ"]);
  const [long, short] = phonemeParts("ɔːɹ");
  assert.ok(long!.weight > 2 * short!.weight);
  const { at } = track([
    [0, ""],
    [200, "aɪ"],
    [600, ""],
  ]);
  assert.ok(at(280, "open") > 0.9 && at(280, "spread") < 0.2);
  assert.ok(at(530, "open") < 0.4 && at(530, "spread") > 0.6);
});

test("the mouth rests in pauses and moves without jumps", () => {
  const { at } = track([
    [0, ""],
    [300, "ɑ"],
    [600, ""],
    [900, ""],
  ]);
  assert.equal(at(200, "open"), 0);
  assert.equal(at(200, "voice"), 0);
  assert.ok(at(450, "open") > 0.99);
  for (let ms = 0; ms < 1000; ms += 5) {
    assert.ok(Math.abs(at(ms + 5, "open") - at(ms, "open")) < 0.1, `at ${ms} ms`);
  }
});

test("lips are closed during the silence before a plosive", () => {
  const { at, letterAt } = track(
    [
      [0, "ɑ"],
      [300, "p"],
      [330, "ɑ"],
    ],
    [220, 300],
  );
  assert.equal(letterAt(260), "p");
  assert.ok(at(265, "pressed") > 0.9 && at(265, "open") < 0.1);
});

test("consonants take the lips of the vowels around them", () => {
  const sibilant = (vowel: string) =>
    track([
      [0, vowel],
      [200, "s"],
      [350, vowel],
    ]).at(275, "round");
  assert.ok(sibilant("u") > 0.8);
  assert.ok(sibilant("i") < 0.1);
});

test("resampling keeps a tone and removes what the new rate cannot carry", () => {
  const tone = (hz: number, rate: number, length: number) =>
    Float32Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * hz * n) / rate));
  const kept = resample(tone(440, 22_050, 4410), RATE / 22_050);
  const expected = tone(440, RATE, kept.length);
  for (let n = 100; n < kept.length - 100; n++) {
    assert.ok(Math.abs(kept[n]! - expected[n]!) < 0.01, `sample ${n}`);
  }
  const removed = resample(tone(9500, 22_050, 4410), RATE / 22_050);
  assert.ok(removed.subarray(100, -100).every((value) => Math.abs(value) < 0.02));
});
