import { BATCH, GraphBuilder } from "../onnx/graph-builder.ts";
import * as op from "../onnx/operators.ts";
import { INNER, paintCavity } from "./unet-cavity.ts";
import { type Block, Field, paste } from "./unet-field.ts";
import { locateMouth } from "./unet-locate.ts";
import { mouthShape } from "./unet-shape.ts";
import { CROP_SIDE, MOVING, openMouth } from "./unet-warp.ts";

/**
 * The demo avatar's U-Net as an ONNX file: the interface of SyncTalk_2D's, but
 * arithmetic in place of trained weights. It finds the lips in the reference
 * crop, pulls them open as the audio features say and paints what lies between.
 *
 * Inputs: `input` float32 [n,6,320,320] BGR 0..1, `audio` float32 [n,32,16,16]
 * (see `viseme.ts`). Output: `output` float32 [n,3,320,320] BGR 0..1. With
 * features of zero the output is the reference.
 */
export function buildDemoUnet(): Uint8Array<ArrayBuffer> {
  const graph = new GraphBuilder("mouthpiece-demo-unet");
  const input = graph.input("input", [BATCH, 6, CROP_SIDE, CROP_SIDE]);
  const audio = graph.input("audio", [BATCH, 32, 16, 16]);
  const reference = op.slice(graph, input, 1, 0, 3);
  const shape = mouthShape(graph, audio);
  const place = locateMouth(graph, reference);
  const mouth = openMouth(graph, reference, place, shape);
  const inner = paintCavity(graph, mouth, shape);
  const size = [MOVING.right - MOVING.left, MOVING.bottom - MOVING.top] as const;
  const within: Block = {
    left: INNER.left - MOVING.left,
    top: INNER.top - MOVING.top,
    right: INNER.right - MOVING.left,
    bottom: INNER.bottom - MOVING.top,
  };
  const moving = paste(mouth.picture, size, inner, within);
  const output = paste(new Field(graph, reference), [CROP_SIDE, CROP_SIDE], moving, MOVING);
  graph.output("output", output.value, [BATCH, 3, CROP_SIDE, CROP_SIDE]);
  return graph.build();
}
