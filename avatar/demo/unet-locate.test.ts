import assert from "node:assert/strict";
import { test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { cropRgb, rgbaToRgb } from "../image/crop.ts";
import { CubicResizer } from "../image/resize.ts";
import { BATCH, GraphBuilder } from "../onnx/graph-builder.ts";
import { mouthPose } from "./character.ts";
import { DEMO_FRAME_COUNT } from "./motion.ts";
import { DemoRenderer } from "./render.ts";
import { locateMouth } from "./unet-locate.ts";
import { CROP_SCALE, CROP_SIDE } from "./unet-warp.ts";

test("the lips are found to a fraction of a pixel and of a degree, all through the loop", async () => {
  const graph = new GraphBuilder("locate");
  const place = locateMouth(graph, graph.input("reference", [BATCH, 3, CROP_SIDE, CROP_SIDE]));
  for (const name of ["x", "y", "sin"] as const) {
    graph.output(name, place[name].value, [BATCH, 1, 1, 1]);
  }
  const session = await InferenceSession.create(graph.build());
  const renderer = new DemoRenderer();
  const resizer = new CubicResizer();
  const pixels = CROP_SIDE * CROP_SIDE;
  for (let index = 0; index < DEMO_FRAME_COUNT; index += 4) {
    const frame = renderer.render(index);
    const data = new Uint8ClampedArray(frame.pixels);
    const rgb = rgbaToRgb({ width: frame.width, height: frame.height, data });
    const crop = resizer.resize(cropRgb(rgb, frame.rectangle), 328, 328);
    const reference = Float32Array.from({ length: 3 * pixels }, (_, i) => {
      const [c, p] = [Math.floor(i / pixels), i % pixels];
      const at = (Math.floor(p / CROP_SIDE) + 4) * 328 + (p % CROP_SIDE) + 4;
      return crop.data[3 * at + 2 - c]! / 255;
    });
    const found = await session.run({
      reference: new Tensor("float32", reference, [1, 3, CROP_SIDE, CROP_SIDE]),
    });
    const value = (name: string): number => Number(found[name]!.data[0]);
    const mouth = mouthPose(index);
    const x = (mouth.x - frame.rectangle.x) * CROP_SCALE - 4.5;
    const y = (mouth.y - frame.rectangle.y) * CROP_SCALE - 4.5;
    const degrees = (Math.asin(value("sin")) * 180) / Math.PI;
    assert.ok(Math.abs(value("x") - x) < 0.4, `frame ${index}: x ${value("x")}, not ${x}`);
    assert.ok(Math.abs(value("y") - y) < 0.3, `frame ${index}: y ${value("y")}, not ${y}`);
    assert.ok(Math.abs(degrees - mouth.degrees) < 0.25, `frame ${index}: ${degrees} degrees`);
  }
  await session.release();
});
