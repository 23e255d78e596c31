import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "../../proto/gen/onnx/onnx_pb.js";
import { AvatarError } from "../avatar-error.ts";
import { checkAudioEncoder, checkUnet } from "./check-model.ts";
import { BATCH, type Dimension, type ElementType, GraphBuilder } from "./graph-builder.ts";

type Declared = [name: string, shape: readonly Dimension[], type?: ElementType];

const VISUAL: Declared = ["visual_input", [BATCH, 6, 320, 320]];
const AUDIO: Declared = ["audio_input", [BATCH, 32, 16, 16]];
const OUTPUT: Declared = ["output", [BATCH, 3, 320, 320]];

/** Only what is declared counts here. */
function model(inputs: readonly Declared[], outputs: readonly Declared[]): Uint8Array {
  const graph = new GraphBuilder("declared");
  for (const input of inputs) graph.input(...input);
  for (const [name, shape, type] of outputs) graph.output(name, { name: "x" }, shape, type);
  return graph.build();
}

function refuses(check: () => unknown, message: string): void {
  assert.throws(check, (error) => {
    assert.ok(error instanceof AvatarError);
    assert.equal(error.code, "invalid_source");
    assert.equal(error.message, message);
    return true;
  });
}

test("finds the tensors of a U-Net by shape, in any order and under any name", () => {
  const expected = { visual: "visual_input", audio: "audio_input", output: "output" };
  assert.deepEqual(checkUnet(model([VISUAL, AUDIO], [OUTPUT])), expected);
  assert.deepEqual(checkUnet(model([AUDIO, VISUAL], [OUTPUT])), expected);
  const odd = model(
    [
      ["b", [1, 32, 16, 16]],
      ["a", [1, 6, 320, 320]],
    ],
    [
      ["hidden", [1, 512, 10, 10]],
      ["c", [1, 3, 320, 320]],
    ],
  );
  assert.deepEqual(checkUnet(odd), { visual: "a", audio: "b", output: "c" });
});

test("undeclared sizes are accepted and names tell the inputs apart", () => {
  const dynamic: Dimension[] = ["n", "c", "h", "w"];
  const file = model(
    [
      ["audio", dynamic],
      ["input", dynamic],
    ],
    [["output", ["n", "c", "h", "w"]]],
  );
  assert.deepEqual(checkUnet(file), { visual: "input", audio: "audio", output: "output" });
  const shapeless = create(ModelProtoSchema, {
    irVersion: 8n,
    graph: {
      node: [{ opType: "Identity" }],
      input: [declared("mel", ["n", 1, 80, 16])],
      output: [
        { name: "y", type: { value: { case: "tensorType" as const, value: { elemType: 1 } } } },
      ],
    },
  });
  const found = checkAudioEncoder(toBinary(ModelProtoSchema, shapeless));
  assert.deepEqual(found, { input: "mel", output: "y" });
});

test("says which tensor of a U-Net is wrong, what it is and what is expected", () => {
  const small: Declared = ["input", [BATCH, 6, 160, 160]];
  refuses(
    () => checkUnet(model([small, AUDIO], [OUTPUT]), "m.onnx"),
    'm.onnx: the visual input is "input" float32 [n,6,160,160], expected float32 [n,6,320,320]: export the 328 pixel model, not the 160 pixel one',
  );
  refuses(
    () => checkUnet(model([VISUAL, ["audio", [BATCH, 32, 32, 32]]], [OUTPUT]), "m.onnx"),
    'm.onnx: the audio input is "audio" float32 [n,32,32,32], expected float32 [n,32,16,16]: train and export the model for the audio features called ave',
  );
  refuses(
    () => checkUnet(model([VISUAL, ["audio", [BATCH, 32, 16, 16], "int64"]], [OUTPUT]), "m.onnx"),
    'm.onnx: the audio input is "audio" int64 [n,32,16,16], expected float32 [n,32,16,16]',
  );
  refuses(
    () => checkUnet(model([["input", [4, 6, 320, 320]], AUDIO], [OUTPUT]), "m.onnx"),
    'm.onnx: the visual input is "input" float32 [4,6,320,320], expected float32 [n,6,320,320]: export it with a dynamic batch dimension, or with 1',
  );
  refuses(
    () => checkUnet(model([VISUAL, AUDIO], [["output", [BATCH, 1, 320, 320]]]), "m.onnx"),
    'm.onnx: the output is "output" float32 [n,1,320,320], expected float32 [n,3,320,320]',
  );
  refuses(
    () => checkUnet(model([VISUAL], [OUTPUT]), "m.onnx"),
    'm.onnx: it has 1 inputs ("visual_input" float32 [n,6,320,320]), expected 2',
  );
  refuses(
    () =>
      checkUnet(
        model(
          [VISUAL, VISUAL].map(([, shape], i) => [`v${i}`, shape]),
          [OUTPUT],
        ),
        "m",
      ),
    'm: the visual input and the audio input are "v0" float32 [n,6,320,320], "v1" float32 [n,6,320,320], expected float32 [n,6,320,320] and float32 [n,32,16,16]',
  );
});

test("says what is wrong with an audio encoder", () => {
  const mel: Declared = ["mel", [BATCH, 1, 80, 16]];
  const good = model([mel], [["features", [1, 512]]]);
  assert.deepEqual(checkAudioEncoder(good), { input: "mel", output: "features" });
  refuses(
    () => checkAudioEncoder(model([["mel", [1, 80, 16]]], [["f", [1, 512]]]), "e.onnx"),
    'e.onnx: the mel input is "mel" float32 [1,80,16], expected float32 [n,1,80,16]',
  );
  refuses(
    () => checkAudioEncoder(model([mel], [["f", [BATCH, 512, 1, 1]]]), "e.onnx"),
    'e.onnx: the feature output is "f" float32 [n,512,1,1], expected float32 [n,512]',
  );
  refuses(
    () => checkAudioEncoder(model([VISUAL, AUDIO], [OUTPUT]), "e.onnx"),
    'e.onnx: it has 2 inputs ("visual_input" float32 [n,6,320,320], "audio_input" float32 [n,32,16,16]), expected 1',
  );
});

test("accepts the PyTorch exports", (t) => {
  const folder = "../shared/golden/synctalk";
  if (!existsSync(folder)) {
    t.diagnostic("golden data absent: the comparison did not run");
    return;
  }
  const unet = checkUnet(readFileSync(`${folder}/unet_328.onnx`));
  assert.deepEqual(unet, { visual: "input", audio: "audio", output: "output" });
  const encoder = checkAudioEncoder(readFileSync(`${folder}/audio_encoder.onnx`));
  assert.deepEqual(encoder, { input: "mel_spectrogram", output: "audio_features" });
});

function declared(name: string, shape: readonly Dimension[]) {
  const dim = shape.map((size) =>
    typeof size === "number"
      ? { value: { case: "dimValue" as const, value: BigInt(size) } }
      : { value: { case: "dimParam" as const, value: size } },
  );
  const value = { elemType: 1, shape: { dim } };
  return { name, type: { value: { case: "tensorType" as const, value } } };
}
