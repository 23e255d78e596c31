import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from "../../proto/gen/onnx/onnx_pb.js";
import { REFERENCE_SIZE } from "../reference.ts";
import { checkUnet } from "./check-model.ts";
import { BATCH, GraphBuilder, type Value } from "./graph-builder.ts";
import { readModel } from "./inspect.ts";
import { concat, div, min, mul, slice, transpose, where } from "./operators.ts";

/** Inputs and output of a wrapped U-Net, beside the audio input, which keeps its name. */
export const WRAPPED = {
  /** uint8 [n,328,328,3] RGB: reference crops */
  reference: "reference_crops",
  /** uint8 [n,320,320,3] RGB */
  output: "mouth_pixels",
} as const;

/** Operators that the wrapping needs have their present form since then. */
const OLDEST_OPSET = 11n;
const MODEL_SIZE = 320;
const MARGIN = (REFERENCE_SIZE - MODEL_SIZE) / 2;
/** The masked rectangle, first and last pixel, as SyncTalk_2D draws it. */
const MASK = { left: 5, top: 5, right: 314, bottom: 309 };
/** Of the nodes and weights that are added; nobody else's names look like this. */
const PREFIX = "mouthpiece/";
const FLOAT = 1;
const UINT8 = 2;

export type WrappedUnet =
  | { readonly model: Uint8Array<ArrayBuffer> }
  /** It cannot be wrapped; the caller does on the host what the graph would. */
  | { readonly model: null; readonly reason: string };

/**
 * Puts into a lip-sync U-Net what is around it on every frame: 8-bit reference
 * crops go in, 8-bit pixels come out. Cutting, scaling, the order of the
 * channels and the mask become nodes of the graph, so that a sixth of the bytes
 * goes to a GPU and a quarter comes back. The results are those of
 * `fillVisualTensor` and `outputPixels`, bit by bit.
 *
 * @param bytes ONNX: float32 [n,6,320,320] BGR 0..1 and [n,32,16,16] to [n,3,320,320]
 * @throws AvatarError `invalid_source` when it is no such U-Net
 */
export function wrapUnet(bytes: Uint8Array, source = "the U-Net"): WrappedUnet {
  const { visual, output } = checkUnet(bytes, source);
  const model = readModel(bytes, source);
  const opset = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  if (!opset || opset.version < OLDEST_OPSET) {
    const version = opset?.version ?? "unknown";
    return { model: null, reason: `opset ${version} is older than ${OLDEST_OPSET}` };
  }
  const { graph } = model;
  const taken = graph.node.some((node) => node.output.some((name) => name.startsWith(PREFIX)));
  if (taken) return { model: null, reason: "it is wrapped already" };
  const batch = batchOf(graph.input.find(({ name }) => name === visual));
  const before = prelude(visual);
  const after = postlude(output);
  const wrapped = create(GraphProtoSchema, {
    name: graph.name,
    node: [...before.node, ...graph.node, ...after.node],
    initializer: [...before.initializer, ...graph.initializer, ...after.initializer],
    input: [
      pixels(WRAPPED.reference, batch, REFERENCE_SIZE),
      ...graph.input.filter(({ name }) => name !== visual),
    ],
    output: [pixels(WRAPPED.output, batch, MODEL_SIZE)],
    valueInfo: graph.valueInfo,
  });
  // What this reader does not know, such as functions, goes along.
  if (graph.$unknown) wrapped.$unknown = graph.$unknown;
  const whole = create(ModelProtoSchema, { ...model, graph: wrapped });
  if (model.$unknown) whole.$unknown = model.$unknown;
  return { model: toBinary(ModelProtoSchema, whole) };
}

/** From crops to the visual input. */
function prelude(visual: string): GraphProto {
  const graph = new GraphBuilder("prelude");
  const crops = graph.input(WRAPPED.reference, [BATCH, REFERENCE_SIZE, REFERENCE_SIZE, 3], "uint8");
  const floats = graph.node("Cast", [crops], { to: FLOAT });
  const end = MARGIN + MODEL_SIZE;
  const inner = slice(graph, slice(graph, floats, 1, MARGIN, end), 2, MARGIN, end);
  const unit = div(graph, inner, 255);
  const bgr = swapColours(graph, transpose(graph, unit, [0, 3, 1, 2]));
  const mask = graph.float32(mouthMask(), [1, 1, MODEL_SIZE, MODEL_SIZE], "mask");
  const tensor = concat(graph, [bgr, graph.node("Mul", [bgr, mask])]);
  graph.output("visual", tensor, [BATCH, 6, MODEL_SIZE, MODEL_SIZE]);
  return rename(graph, { visual, [WRAPPED.reference]: WRAPPED.reference });
}

/** From the output to pixels: x 255, truncated; NaN becomes 0. */
function postlude(output: string): GraphProto {
  const graph = new GraphBuilder("postlude");
  const bgr = graph.input("output", [BATCH, 3, MODEL_SIZE, MODEL_SIZE]);
  const scaled = mul(graph, bgr, 255);
  const zero = graph.scalar(0);
  const positive = where(graph, graph.node("Greater", [scaled, zero]), scaled, zero);
  const rgb = swapColours(graph, min(graph, positive, 255));
  const bytes = graph.node("Cast", [transpose(graph, rgb, [0, 2, 3, 1])], { to: UINT8 });
  graph.output(WRAPPED.output, bytes, [BATCH, MODEL_SIZE, MODEL_SIZE, 3], "uint8");
  return rename(graph, { output, [WRAPPED.output]: WRAPPED.output });
}

function swapColours(graph: GraphBuilder, planes: Value): Value {
  return graph.node("Gather", [planes, graph.int64([2, 1, 0])], { axis: 1 });
}

function mouthMask(): Float32Array {
  const mask = new Float32Array(MODEL_SIZE * MODEL_SIZE).fill(1);
  for (let row = MASK.top; row <= MASK.bottom; row++) {
    mask.fill(0, row * MODEL_SIZE + MASK.left, row * MODEL_SIZE + MASK.right + 1);
  }
  return mask;
}

/** Gives everything in a graph a name of ours, what `kept` names aside. */
function rename(builder: GraphBuilder, kept: Readonly<Record<string, string>>): GraphProto {
  const { graph } = fromBinary(ModelProtoSchema, builder.build());
  if (!graph) throw new Error("a built model has a graph");
  const named = (name: string) =>
    name === "" ? "" : (kept[name] ?? `${PREFIX}${graph.name}/${name}`);
  for (const node of graph.node) renameNode(node, named);
  for (const tensor of graph.initializer) tensor.name = named(tensor.name);
  return graph;
}

function renameNode(node: NodeProto, named: (name: string) => string): void {
  node.name = named(node.name);
  node.input = node.input.map(named);
  node.output = node.output.map(named);
}

/** The batch dimension of the visual input: a fixed 1 stays. */
function batchOf(visual: ValueInfoProto | undefined): number | string {
  if (visual?.type?.value.case !== "tensorType") return BATCH;
  const first = visual.type.value.value.shape?.dim[0]?.value;
  if (first?.case === "dimValue" && first.value > 0n) return Number(first.value);
  return first?.case === "dimParam" && first.value !== "" ? first.value : BATCH;
}

function pixels(name: string, batch: number | string, size: number): ValueInfoProto {
  const graph = new GraphBuilder("shape");
  graph.input(name, [batch, size, size, 3], "uint8");
  const input = fromBinary(ModelProtoSchema, graph.build()).graph?.input[0];
  if (!input) throw new Error("a built model has its input");
  return input;
}
