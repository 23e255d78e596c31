import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MEL_BANDS } from "../../avatar/speech-timing.ts";
import { tone } from "../../test/support/tiny-avatar.ts";
import { MelFrontEnd, melSpectrogram } from "./mel.ts";

const golden = fileURLToPath(new URL("../../../shared/golden/synctalk/", import.meta.url));

test("silence is the floor, and a tone stands in its band", () => {
  assert.ok(melSpectrogram(new Float32Array(16_000)).every((value) => value === -4));
  const low = peakBand(300);
  const high = peakBand(3000);
  assert.ok(low < high, `300 Hz in band ${low}, 3000 Hz in band ${high}`);
  // 55..7600 Hz are 80 bands; Slaney's scale is linear below 1 kHz.
  assert.ok(low >= 6 && low <= 9, `300 Hz in band ${low}`);
});

test("rows do not depend on which others are made with them", () => {
  const samples = Float32Array.from(tone(20_000), (sample) => sample / 32_768);
  const whole = melSpectrogram(samples);
  for (const [first, end] of [
    [0, 3],
    [17, 18],
    [90, 101],
  ] as const) {
    const rows = new Float32Array((end - first) * MEL_BANDS);
    new MelFrontEnd().rows((n) => samples[n]!, samples.length, first, end, rows);
    assert.deepEqual(rows, whole.slice(first * MEL_BANDS, end * MEL_BANDS));
  }
});

test("mel rows of the original within 1e-3", (t) => {
  if (!existsSync(golden)) {
    t.diagnostic("the golden data is not here: the comparison did not run");
    return;
  }
  const samples = readSamples(`${golden}speech.wav`);
  const { data, rows } = readFortranNpy(`${golden}mel.npy`);
  const mel = melSpectrogram(samples);
  assert.equal(mel.length, data.length);
  let largest = 0;
  for (let i = 0; i < mel.length; i++) {
    const expected = data[(i % MEL_BANDS) * rows + Math.floor(i / MEL_BANDS)]!;
    largest = Math.max(largest, Math.abs(mel[i]! - expected));
  }
  t.diagnostic(`largest difference ${largest}`);
  assert.ok(largest < 1e-3, String(largest));
});

function peakBand(hz: number): number {
  const samples = Float32Array.from({ length: 4000 }, (_, n) =>
    Math.sin((n * hz * 2 * Math.PI) / 16_000),
  );
  const row = melSpectrogram(samples).subarray(10 * MEL_BANDS, 11 * MEL_BANDS);
  return row.indexOf(Math.max(...row));
}

function readSamples(path: string): Float32Array {
  const wav = readFileSync(path);
  const at = wav.indexOf("data") + 8;
  return Float32Array.from(
    { length: (wav.length - at) / 2 },
    (_, n) => wav.readInt16LE(at + 2 * n) / 32_768,
  );
}

function readFortranNpy(path: string): { data: Float32Array; rows: number } {
  const file = readFileSync(path);
  const start = 10 + file.readUInt16LE(8);
  const header = file.toString("latin1", 10, start);
  assert.match(header, /'fortran_order': True/);
  const data = new Float32Array(new Uint8Array(file.subarray(start)).buffer);
  return { data, rows: Number(/\((\d+),/.exec(header)![1]) };
}
