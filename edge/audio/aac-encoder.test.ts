import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleSpeech } from "../../test/support/sample-speech.ts";
import { AAC_FRAME_SAMPLES, createAacEncoder } from "./aac-encoder.ts";
import { CodecError } from "./codecs/codec-error.ts";

const FRAMES = 100;

function fails(code: string, run: () => unknown) {
  assert.throws(run, (error) => error instanceof CodecError && error.code === code);
}

// That it sounds as it should: test/h264/mp4.ffmpeg.ts.
test("a unit for each frame and one for the priming, at the rate asked for", async () => {
  const speech = await sampleSpeech();
  for (const bitrate of [24_000, 48_000, 64_000]) {
    const encoder = createAacEncoder({ bitrate });
    const units = Array.from({ length: FRAMES }, (_, n) =>
      encoder.encode(speech.subarray(n * AAC_FRAME_SAMPLES, (n + 1) * AAC_FRAME_SAMPLES)),
    ).flat();
    units.push(...encoder.finish());
    encoder.free();
    assert.equal(units.length, FRAMES + 1);
    const bits = 8 * units.reduce((sum, { length }) => sum + length, 0);
    const found = bits / (FRAMES * 0.064);
    assert.ok(Math.abs(found / bitrate - 1) < 0.15, `${found} of ${bitrate}`);
  }
});

test("the configuration: AAC-LC (2), 16 kHz (index 8), one channel", () => {
  const encoder = createAacEncoder();
  const [first, second] = encoder.config;
  assert.equal(first! >> 3, 2);
  assert.equal(((first! & 7) << 1) | (second! >> 7), 8);
  assert.equal((second! >> 3) & 15, 1);
  encoder.free();
});

test("what it does not take is refused, and memory is given back", () => {
  fails("bad_input", () => createAacEncoder({ bitrate: 128_000 }));
  const encoder = createAacEncoder();
  fails("bad_input", () => encoder.encode(new Int16Array(1_023)));
  encoder.free();
  encoder.free();
  fails("freed", () => encoder.encode(new Int16Array(AAC_FRAME_SAMPLES)));
  fails("freed", () => encoder.finish());
  // Without the memory of those before, these do not fit into what the library may take.
  for (let n = 0; n < 2_000; n++) createAacEncoder().free();
});
