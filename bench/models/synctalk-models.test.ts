import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { checkAudioEncoder, checkUnet } from "../../avatar/onnx/check-model.ts";
import { ModelProtoSchema } from "../../proto/gen/onnx/onnx_pb.js";
import { buildSynctalkAudioEncoder } from "./synctalk-audio-encoder.ts";
import { buildSynctalkUnet } from "./synctalk-unet.ts";

const GOLDEN = "../shared/golden/synctalk";

test("the U-Net has the original's size and tensors", () => {
  const file = buildSynctalkUnet({ seed: 1 });
  assert.equal(parameterCount(file), 12_153_887);
  assert.ok(Math.abs(file.length - 48.6e6) < 0.1e6, `${file.length} bytes`);
  assert.deepEqual(checkUnet(file), { visual: "input", audio: "audio", output: "output" });
});

test("the U-Net's picture has contrast and depends on both inputs", async () => {
  const session = await InferenceSession.create(buildSynctalkUnet({ seed: 1 }));
  const visual = Float32Array.from({ length: 6 * 320 * 320 }, (_, i) => 0.5 + 0.4 * Math.sin(i));
  const audio = Float32Array.from({ length: 32 * 16 * 16 }, (_, i) => Math.abs(Math.sin(i * i)));
  const run = async (v: Float32Array, a: Float32Array) => {
    const { output } = await session.run({
      input: new Tensor("float32", v, [1, 6, 320, 320]),
      audio: new Tensor("float32", a, [1, 32, 16, 16]),
    });
    return floats(output);
  };
  const picture = await run(visual, audio);
  assert.equal(picture.length, 3 * 320 * 320);
  const mean = picture.reduce((sum, value) => sum + value, 0) / picture.length;
  assert.ok(difference(picture, picture.slice().fill(mean)) > 0.1);

  // Reference and masked copy each matter, and so does the speech.
  const plane = 320 * 320;
  const withoutReference = visual.slice().fill(0, 0, 3 * plane);
  const withoutMasked = visual.slice().fill(0, 3 * plane);
  assert.ok(difference(picture, await run(withoutReference, audio)) > 0.05);
  assert.ok(difference(picture, await run(withoutMasked, audio)) > 0.05);
  assert.ok(difference(picture, await run(visual, audio.toReversed())) > 0.005);
  await session.release();
});

test("equal seeds give equal files, others do not", () => {
  const channels = [4, 8, 16, 32, 64] as const;
  const first = buildSynctalkUnet({ seed: 7, channels });
  assert.deepEqual(buildSynctalkUnet({ seed: 7, channels }), first);
  assert.notDeepEqual(buildSynctalkUnet({ seed: 8, channels }), first);
});

test("the narrow U-Net has the convolutions of a narrow PyTorch export", (t) => {
  if (!existsSync(`${GOLDEN}/unet_328.onnx`)) {
    t.diagnostic("golden data absent: the comparison did not run");
    return;
  }
  const ours = buildSynctalkUnet({ seed: 1, channels: [4, 8, 16, 32, 64] });
  const theirs = readFileSync(`${GOLDEN}/unet_328.onnx`);
  assert.deepEqual(convolutions(ours), convolutions(theirs));
});

test("the audio encoder has the original's size and answers to speech", async (t) => {
  const file = buildSynctalkAudioEncoder({ seed: 1 });
  assert.equal(parameterCount(file), 2_808_256);
  assert.deepEqual(checkAudioEncoder(file), {
    input: "mel_spectrogram",
    output: "audio_features",
  });
  const session = await InferenceSession.create(file);
  const run = async (mel: (i: number) => number) => {
    const window = Float32Array.from({ length: 2 * 80 * 16 }, (_, i) => mel(i));
    const { audio_features: features } = await session.run({
      mel_spectrogram: new Tensor("float32", window, [2, 1, 80, 16]),
    });
    assert.deepEqual(features?.dims, [2, 512]);
    return floats(features);
  };
  const silence = await run(() => -4);
  const speech = await run((i) => 2 * Math.sin(i / 16));
  assert.ok(difference(silence, speech) > 0.1);
  await session.release();

  if (!existsSync(`${GOLDEN}/audio_encoder.onnx`)) {
    t.diagnostic("golden data absent: the comparison did not run");
    return;
  }
  // The export is four times narrower, all but its last layer.
  const theirs = convolutions(readFileSync(`${GOLDEN}/audio_encoder.onnx`)).map((line) =>
    line.replace(/^\d+x\d+/, (sizes) =>
      sizes
        .split("x")
        .map((size) => (size === "1" || size === "512" ? size : Number(size) * 4))
        .join("x"),
    ),
  );
  assert.deepEqual(convolutions(file), theirs);
});

function graphOf(file: Uint8Array) {
  const { graph } = fromBinary(ModelProtoSchema, file);
  assert.ok(graph);
  return graph;
}

function parameterCount(file: Uint8Array): number {
  const weights = graphOf(file).initializer.filter(({ name }) => /^(weight|bias)/.test(name));
  return weights.reduce((sum, { rawData }) => sum + rawData.length / 4, 0);
}

/** `8x4x1x1 strides 1,1 pads 0,0,0,0 group 1` of every convolution, in order. */
function convolutions(file: Uint8Array): string[] {
  const { node, initializer } = graphOf(file);
  const shapes = new Map(initializer.map(({ name, dims }) => [name, dims.join("x")]));
  return node
    .filter(({ opType }) => opType === "Conv")
    .map(({ input, attribute }) => {
      const of = (name: string) => attribute.find((each) => each.name === name);
      const group = of("group")?.i ?? 1n;
      return `${shapes.get(input[1]!)} strides ${of("strides")?.ints} pads ${of("pads")?.ints} group ${group}`;
    });
}

function floats(tensor: Tensor | undefined): Float32Array {
  assert.ok(tensor?.data instanceof Float32Array);
  return tensor.data;
}

/** Mean absolute difference. */
function difference(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
}
