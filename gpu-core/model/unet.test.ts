import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readDemoSource } from "../../avatar/demo/demo-source.ts";
import { BATCH, GraphBuilder } from "../../avatar/onnx/graph-builder.ts";
import { add, div, mul, reduceMean, slice } from "../../avatar/onnx/operators.ts";
import { wrapUnet } from "../../avatar/onnx/wrap-unet.ts";
import { REFERENCE_BYTES } from "../../avatar/reference.ts";
import { SeededRandom } from "../../test/fuzz/random.ts";
import { buildTinyUnet, temporaryFolder } from "../../test/support/tiny-avatar.ts";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import { FloatUnet, OUTPUT_TENSOR_SIZE, VISUAL_TENSOR_SIZE } from "./float-unet.ts";
import { Unet } from "./unet.ts";
import { fillVisualTensor, outputPixels, PIXEL_BYTES } from "./visual-tensor.ts";

const SESSION = { providers: ["cpu"], deviceId: 0, threads: 1 } as const;
const OPTIONS = { session: SESSION, precision: "fp32", maxBatchSize: 3, hasCrops: true } as const;

function randomInputs(seed: number, n: number) {
  const random = new SeededRandom(seed);
  return {
    crops: Uint8Array.from({ length: n * REFERENCE_BYTES }, () => random.below(256)),
    audio: Float32Array.from({ length: n * AUDIO_TENSOR_SIZE }, () => random.unit() * 2 - 1),
  };
}

/** What the host would do around the model as it was exported. */
async function onHost(unet: FloatUnet, crops: Uint8Array, audio: Float32Array, n: number) {
  const visual = new Float32Array(n * VISUAL_TENSOR_SIZE);
  const pixels = new Uint8Array(n * PIXEL_BYTES);
  for (let i = 0; i < n; i++) {
    fillVisualTensor(
      crops.subarray(i * REFERENCE_BYTES, (i + 1) * REFERENCE_BYTES),
      visual.subarray(i * VISUAL_TENSOR_SIZE, (i + 1) * VISUAL_TENSOR_SIZE),
    );
  }
  const output = await unet.run(visual, audio, n);
  for (let i = 0; i < n; i++) {
    outputPixels(
      output.subarray(i * OUTPUT_TENSOR_SIZE, (i + 1) * OUTPUT_TENSOR_SIZE),
      pixels.subarray(i * PIXEL_BYTES, (i + 1) * PIXEL_BYTES),
    );
  }
  return pixels;
}

async function store(t: { after(end: () => Promise<void>): void }, bytes: Uint8Array) {
  const path = join(await temporaryFolder(t), "model.onnx");
  await writeFile(path, bytes);
  return path;
}

/** Everything that an output can be: far below 0 and above 1, infinite, and not a number. */
function buildWildUnet(batch: string | number = BATCH): Uint8Array {
  const graph = new GraphBuilder("wild");
  const visual = graph.input("visual", [batch, 6, 320, 320]);
  const audio = graph.input("sound", [batch, 32, 16, 16]);
  const crop = slice(graph, visual, 1, 0, 3);
  const masked = slice(graph, visual, 1, 3, 6);
  const loudness = reduceMean(graph, audio, [1, 2, 3]);
  // 0 / 0 under the mask where the picture is black, x / 0 elsewhere under it.
  const wild = div(graph, add(graph, crop, mul(graph, loudness, 3)), masked);
  graph.output("picture", wild, [batch, 3, 320, 320]);
  return graph.build();
}

for (const [name, bytes] of [
  ["the tiny U-Net", buildTinyUnet()],
  ["the demo's U-Net", readDemoSource().model],
  ["one with infinities and NaN", buildWildUnet()],
  ["one with a fixed batch of 1", buildWildUnet(1)],
] as const) {
  test(`crops in the graph are crops on the host, bit by bit: ${name}`, async (t) => {
    const path = await store(t, bytes);
    const unet = await Unet.load(path, OPTIONS);
    const floats = await FloatUnet.load({ path }, SESSION, 1);
    for (const n of [1, 2, 3]) {
      const { crops, audio } = randomInputs(n, n);
      const expected = await onHost(floats, crops, audio, n);
      assert.deepEqual(await unet.runCrops(crops, audio, n), expected);
    }
    const black = new Uint8Array(REFERENCE_BYTES);
    const silence = new Float32Array(AUDIO_TENSOR_SIZE);
    const expected = await onHost(floats, black, silence, 1);
    assert.deepEqual(await unet.runCrops(black, silence, 1), expected);
    await floats.release();
    await unet.release();
  });
}

test("tensors keep float precision, in a session that is made when it is needed", async (t) => {
  const path = await store(t, buildTinyUnet());
  const unet = await Unet.load(path, OPTIONS);
  assert.equal(unet.lacksFloats, true);
  const visual = new Float32Array(2 * VISUAL_TENSOR_SIZE).fill(0.3);
  const audio = new Float32Array(2 * AUDIO_TENSOR_SIZE).fill(0.1);
  const output = await unet.runTensors(visual, audio, 2);
  assert.equal(unet.lacksFloats, false);
  const direct = await FloatUnet.load({ path }, SESSION, 1);
  assert.deepEqual(output, await direct.run(visual, audio, 2));
  await direct.release();
  await unet.release();
});

test("fp16 loads and is close: the difference in pixels is bounded", async (t) => {
  const path = await store(t, readDemoSource().model);
  const full = await Unet.load(path, OPTIONS);
  const half = await Unet.load(path, { ...OPTIONS, precision: "fp16" });
  const { crops, audio } = randomInputs(5, 1);
  const [a, b] = [await full.runCrops(crops, audio, 1), await half.runCrops(crops, audio, 1)];
  let [largest, sum] = [0, 0];
  for (let i = 0; i < PIXEL_BYTES; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    largest = Math.max(largest, difference);
    sum += difference;
  }
  t.diagnostic(`fp16: mean difference ${sum / PIXEL_BYTES} of 255, largest ${largest}`);
  assert.ok(sum > 0, "it was converted");
  assert.ok(sum / PIXEL_BYTES < 2 && largest <= 25, `${sum / PIXEL_BYTES}, ${largest}`);
  await full.release();
  await half.release();
});

test("an old opset is not wrapped, and gives the same on the host", async () => {
  const bytes = buildTinyUnet();
  // The version of the opset, a field of its own: 17 becomes 10.
  const at = Buffer.from(bytes).lastIndexOf(Buffer.from([0x10, 17]));
  const old = Uint8Array.from(bytes);
  old[at + 1] = 10;
  const wrapped = wrapUnet(old);
  assert.equal(wrapped.model, null);
  assert.match("reason" in wrapped ? wrapped.reason : "", /opset 10 is older than 11/);
});

test("bad files are refused with what to do", async (t) => {
  for (const bytes of [
    new Uint8Array(0),
    new Uint8Array(1000).fill(7),
    buildTinyUnet().slice(0, 500),
  ]) {
    const path = await store(t, bytes);
    await assert.rejects(Unet.load(path, OPTIONS), /export the model again|it holds no graph/);
    await assert.rejects(
      Unet.load(path, { ...OPTIONS, hasCrops: false }),
      /export the model again/,
    );
  }
  await assert.rejects(Unet.load("/nowhere/model.onnx", OPTIONS), /publish the model again/);
});

test("a provider that is not here is refused, not replaced by the CPU", async (t) => {
  const path = await store(t, buildTinyUnet());
  const session = { ...SESSION, providers: ["cuda"] } as const;
  const load = Unet.load(path, { ...OPTIONS, session });
  await assert.rejects(load, /the execution provider cuda is not installed/);
});
