import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { checkAudioEncoder } from "../onnx/check-model.ts";
import { ENCODER_ROWS, FEATURE_SIZE, MEL_BANDS } from "../speech-timing.ts";
import { buildDemoEncoder } from "./encoder.ts";
import { VISEME, VISEME_COUNT, type VisemeName } from "./viseme.ts";

interface Vectors {
  readonly windows: readonly { sound: string; source: string; mel: string }[];
}

const WINDOW = MEL_BANDS * ENCODER_ROWS;
const file = buildDemoEncoder();
const vectors = JSON.parse(
  readFileSync(new URL("../../test/vectors/demo-encoder-windows.json", import.meta.url), "utf8"),
) as Vectors;
let session: InferenceSession;

before(async () => {
  session = await InferenceSession.create(file);
});
after(() => session.release());

test("it is an audio encoder like any other, and small", () => {
  assert.deepEqual(checkAudioEncoder(file), {
    input: "mel_spectrogram",
    output: "audio_features",
  });
  assert.ok(file.length < 400_000, `${file.length} bytes`);
});

test("a sound shows the mouth that makes it", async () => {
  /** What has to be at least, and at most, per sound. */
  const limits: Record<string, Partial<Record<VisemeName, [number, number]>>> = {
    a: { open: [0.6, 1], teeth: [0, 0.2], pressed: [0, 0.2], round: [0, 0.4], voice: [0.9, 1] },
    i: { spread: [0.6, 1], open: [0.1, 0.45], round: [0, 0.2], voice: [0.9, 1] },
    u: { round: [0.6, 1], open: [0.1, 0.45], spread: [0, 0.2], voice: [0.9, 1] },
    s: { teeth: [0.6, 1], open: [0, 0.3], pressed: [0, 0.2], voice: [0.8, 1] },
    m: { pressed: [0.5, 1], open: [0, 0.25], teeth: [0, 0.2], voice: [0.8, 1] },
    silence: { open: [0, 0.03], pressed: [0, 0.1], teeth: [0, 0.1], voice: [0, 0.1] },
  };
  for (const { sound, source, mel } of vectors.windows) {
    const mouth = await features(windowOf(mel));
    for (const [name, [low, high]] of Object.entries(limits[sound]!)) {
      const value = mouth[VISEME[name as VisemeName]]!;
      const message = `/${sound}/ (${source}): ${name} is ${value.toFixed(2)}, not ${low}..${high}`;
      assert.ok(value >= low && value <= high, message);
    }
  }
});

test("every sound was looked at", () => {
  const sounds = new Set(vectors.windows.map(({ sound }) => sound));
  assert.deepEqual([...sounds].sort(), ["a", "i", "m", "s", "silence", "u"]);
});

test("digital silence closes the mouth", async () => {
  const mouth = await features(new Float32Array(WINDOW).fill(-4));
  for (let i = 0; i < VISEME_COUNT; i++) assert.ok(mouth[i]! < 0.03, `${i}: ${mouth[i]}`);
});

test("all features are bounded, and those of other sounds differ", async () => {
  const [first, second] = [vectors.windows[0]!, vectors.windows[2]!];
  const a = await features(windowOf(first.mel));
  const b = await features(windowOf(second.mel));
  assert.equal(a.length, FEATURE_SIZE);
  // onnxruntime's tanh may end one float32 step above 1.
  assert.ok(a.every((value) => Math.abs(value) <= 1 + 1e-6));
  assert.ok(a.filter((value, i) => Math.abs(value - b[i]!) > 1e-3).length > FEATURE_SIZE / 2);
});

test("windows of one batch do not mix", async () => {
  const [first, second] = [vectors.windows[0]!, vectors.windows[2]!].map(({ mel }) =>
    windowOf(mel),
  ) as [Float32Array, Float32Array];
  const both = await run(Float32Array.of(...first, ...second), 2);
  const alone = [...(await features(first)), ...(await features(second))];
  both.forEach((value, i) => {
    assert.ok(Math.abs(value - alone[i]!) < 1e-5);
  });
});

/** Rows of 80 bands, stored as bytes, to the encoder's [80,16]. */
function windowOf(base64: string): Float32Array {
  const rows = Buffer.from(base64, "base64");
  assert.equal(rows.length, WINDOW);
  return Float32Array.from({ length: WINDOW }, (_, i) => {
    const [band, row] = [Math.floor(i / ENCODER_ROWS), i % ENCODER_ROWS];
    return (rows[row * MEL_BANDS + band]! * 8) / 255 - 4;
  });
}

function features(window: Float32Array): Promise<Float32Array> {
  return run(window, 1);
}

async function run(windows: Float32Array, n: number): Promise<Float32Array> {
  const { audio_features: output } = await session.run({
    mel_spectrogram: new Tensor("float32", windows, [n, 1, MEL_BANDS, ENCODER_ROWS]),
  });
  assert.ok(output?.data instanceof Float32Array);
  return output.data;
}
