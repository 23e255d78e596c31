import { create, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
  type ValueInfoProto,
} from "../../proto/gen/onnx/onnx_pb.js";
import { AvatarError } from "../avatar-error.ts";
import { readModel } from "./inspect.ts";

const { FLOAT, FLOAT16 } = TensorProto_DataType;
const LARGEST = 65_504;
const PREFIX = "mouthpiece/half/";
/** Inputs that stay float32 whatever the data is, by operator. */
const FLOAT_INPUTS: Readonly<Record<string, readonly number[]>> = {
  Resize: [1, 2],
  Upsample: [1],
};
/** They hold other graphs, whose tensors this does not see. */
const WITH_SUBGRAPHS: ReadonlySet<string> = new Set(["If", "Loop", "Scan"]);

/**
 * Converts weights and arithmetic of a model to float16. Inputs and outputs
 * stay float32: casts stand behind and before them.
 *
 * @throws AvatarError `invalid_source` when the file is damaged or has
 *   operators that this cannot convert
 */
export function toHalfPrecision(bytes: Uint8Array, source = "the model"): Uint8Array<ArrayBuffer> {
  const model = readModel(bytes, source);
  const { graph } = model;
  const unsupported = graph.node.find(({ opType }) => WITH_SUBGRAPHS.has(opType));
  if (unsupported) {
    throw new AvatarError(
      "invalid_source",
      `${source}: the operator ${unsupported.opType} cannot be converted to float16: use precision fp32`,
    );
  }
  const keep = floatOnlyNames(graph);
  splitSharedWeights(graph, keep);
  graph.initializer = graph.initializer.map((tensor) =>
    keep.has(tensor.name) ? tensor : halved(tensor),
  );
  for (const node of graph.node) convertNode(node, keep);
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter((value) => isFloat(value) && !weights.has(value.name));
  const before = inputs.map(({ name }) => castNode(name, `${PREFIX}${name}`, FLOAT16));
  const inputNames = new Map(inputs.map(({ name }) => [name, `${PREFIX}${name}`]));
  const outputs = graph.output.filter(isFloat);
  const outputNames = new Map(outputs.map(({ name }) => [name, `${PREFIX}${name}`]));
  for (const node of graph.node) {
    node.input = node.input.map((name) => inputNames.get(name) ?? outputNames.get(name) ?? name);
    node.output = node.output.map((name) => outputNames.get(name) ?? name);
  }
  const after = outputs.map(({ name }) => castNode(`${PREFIX}${name}`, name, FLOAT));
  graph.node = [...before, ...graph.node, ...after];
  // Types of inner tensors have changed; the runtime infers them.
  graph.valueInfo = [];
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { ...model, graph }));
}

/** Tensors that feed inputs which stay float32. */
function floatOnlyNames(graph: GraphProto): Set<string> {
  const names = new Set<string>();
  for (const { opType, input } of graph.node) {
    for (const at of FLOAT_INPUTS[opType] ?? []) if (input[at]) names.add(input[at]);
  }
  return names;
}

/** A weight that is used in both ways gets a second name for the float32 use. */
function splitSharedWeights(graph: GraphProto, keep: Set<string>): void {
  for (const name of [...keep]) {
    const isElsewhere = graph.node.some(({ opType, input }) =>
      input.some((each, at) => each === name && !FLOAT_INPUTS[opType]?.includes(at)),
    );
    const tensor = graph.initializer.find((each) => each.name === name);
    if (!isElsewhere || !tensor) continue;
    const copy = `${PREFIX}float/${name}`;
    graph.initializer.push(create(TensorProtoSchema, { ...tensor, name: copy }));
    keep.delete(name);
    keep.add(copy);
    for (const node of graph.node) {
      for (const at of FLOAT_INPUTS[node.opType] ?? []) {
        if (node.input[at] === name) node.input[at] = copy;
      }
    }
  }
}

function convertNode(node: NodeProto, keep: ReadonlySet<string>): void {
  if (node.output.some((name) => keep.has(name))) return;
  node.attribute = node.attribute.map((attribute) => {
    if (attribute.t && attribute.t.dataType === FLOAT) {
      return create(AttributeProtoSchema, { ...attribute, t: halved(attribute.t) });
    }
    const isCast = node.opType === "Cast" && attribute.name === "to";
    if (isCast && attribute.i === BigInt(FLOAT)) {
      return create(AttributeProtoSchema, { ...attribute, i: BigInt(FLOAT16) });
    }
    return attribute;
  });
}

function castNode(from: string, to: string, type: TensorProto_DataType): NodeProto {
  const attribute = create(AttributeProtoSchema, {
    name: "to",
    type: AttributeProto_AttributeType.INT,
    i: BigInt(type),
  });
  const name = `${PREFIX}cast/${to}`;
  return create(NodeProtoSchema, {
    name,
    opType: "Cast",
    input: [from],
    output: [to],
    attribute: [attribute],
  });
}

/** Rounded to the nearest half; what is too large becomes the largest. */
function halved(tensor: TensorProto): TensorProto {
  if (tensor.dataType !== FLOAT) return tensor;
  const floats = floatsOf(tensor);
  const halves = new Float16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    halves[i] = Math.min(LARGEST, Math.max(-LARGEST, floats[i]!));
  }
  return create(TensorProtoSchema, {
    name: tensor.name,
    dims: tensor.dims,
    dataType: FLOAT16,
    rawData: new Uint8Array(halves.buffer),
  });
}

function floatsOf({ rawData, floatData }: TensorProto): Float32Array {
  if (rawData.length === 0) return Float32Array.from(floatData);
  // The view may start at an odd address.
  return new Float32Array(new Uint8Array(rawData).buffer);
}

function isFloat({ type }: ValueInfoProto): boolean {
  return type?.value.case === "tensorType" && type.value.value.elemType === FLOAT;
}
