import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const HEADER_BYTES = 44;

test("the sample is 16 kHz mono speech with silence at both ends", () => {
  const wav = readFileSync(new URL("sample.wav", import.meta.url));
  assert.equal(wav.toString("latin1", 0, 4), "RIFF");
  assert.equal(wav.readUInt32LE(4), wav.length - 8);
  // PCM, one channel, 16 kHz, 16 bit.
  assert.deepEqual(
    [wav.readUInt16LE(20), wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt16LE(34)],
    [1, 1, 16_000, 16],
  );
  assert.equal(wav.toString("latin1", 36, 40), "data");
  const samples = (wav.length - HEADER_BYTES) / 2;
  assert.ok(samples > 10 * 16_000 && samples < 12 * 16_000, `${samples} samples`);
  const peak = (first: number, end: number) => {
    let top = 0;
    for (let n = first; n < end; n++) {
      top = Math.max(top, Math.abs(wav.readInt16LE(HEADER_BYTES + 2 * n)));
    }
    return top;
  };
  // The filter of the rate conversion rings a few samples into the silence.
  const margin = 0.3 * 16_000 - 40;
  assert.ok(peak(0, margin) < 50 && peak(samples - margin, samples) < 50);
  const loudest = peak(0, samples);
  assert.ok(loudest > 20_000 && loudest < 32_767, `${loudest}`);
});
