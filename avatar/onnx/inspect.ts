import { fromBinary } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type ValueInfoProto,
} from "../../proto/gen/onnx/onnx_pb.js";
import { AvatarError } from "../avatar-error.ts";

/** An input or output as the file declares it. */
export interface TensorInfo {
  readonly name: string;
  /** `float32`, `int64` and so on; `unknown` for what is not a tensor. */
  readonly elemType: string;
  /** A name stands for a size that a run decides, "?" where it has none. Null: not declared. */
  readonly dims: readonly (number | string)[] | null;
}

/** What a model takes and gives. */
export interface ModelInfo {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

/**
 * Reads the inputs and outputs of an ONNX file without running it.
 * @param source Named in errors.
 * @throws AvatarError `invalid_source` when it is empty, damaged, or keeps its
 *   weights in another file.
 */
export function inspectModel(bytes: Uint8Array, source = "the model"): ModelInfo {
  const { graph } = readModel(bytes, source);
  // Files older than IR version 4 list their weights among the inputs.
  const weights = new Set(graph.initializer.map((tensor) => tensor.name));
  return {
    inputs: graph.input.filter((value) => !weights.has(value.name)).map(tensorInfo),
    outputs: graph.output.map(tensorInfo),
  };
}

/** `float32 [n,6,320,320]` */
export function describeTensor({ elemType, dims }: Omit<TensorInfo, "name">): string {
  return `${elemType} ${dims === null ? "of undeclared shape" : `[${dims.join(",")}]`}`;
}

/** An ONNX file whose weights are all in it. */
export type CompleteModel = ModelProto & { graph: GraphProto };

/**
 * Reads an ONNX file. Weights are not copied: they stay views of `bytes`.
 * @throws AvatarError `invalid_source` as inspectModel
 */
export function readModel(bytes: Uint8Array, source: string): CompleteModel {
  if (bytes.length === 0) throw invalid(source, "the file is empty: export the model again");
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    throw invalid(source, "not an ONNX file, or a damaged one: export the model again", cause);
  }
  // Almost any bytes are a protobuf of some kind; a graph that does something is not.
  const { graph } = model;
  if (!graph || graph.node.length === 0 || model.irVersion === 0n) {
    throw invalid(source, "not an ONNX file: it holds no graph");
  }
  const external = graph.initializer.find(
    (tensor) => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL,
  );
  if (external) {
    const file = external.externalData.find(({ key }) => key === "location")?.value;
    throw invalid(
      source,
      `its weights lie in another file${file ? ` (${file})` : ""}: export the model with all weights in one file (torch.onnx.export with external_data=False)`,
    );
  }
  return { ...model, graph };
}

function tensorInfo({ name, type }: ValueInfoProto): TensorInfo {
  if (type?.value.case !== "tensorType") return { name, elemType: "unknown", dims: null };
  const { elemType, shape } = type.value.value;
  return {
    name,
    elemType: elementTypeName(elemType),
    dims: shape?.dim.map(({ value }) => dimension(value)) ?? null,
  };
}

type DimensionValue =
  | { case: "dimValue"; value: bigint }
  | { case: "dimParam"; value: string }
  | { case: undefined; value?: undefined };

function dimension(value: DimensionValue): number | string {
  // Some exporters write -1 or 0 for a size that is not known.
  if (value.case === "dimValue") return value.value > 0n ? Number(value.value) : "?";
  return value.value || "?";
}

function elementTypeName(elemType: number): string {
  if (elemType === TensorProto_DataType.FLOAT) return "float32";
  if (elemType === TensorProto_DataType.DOUBLE) return "float64";
  return TensorProto_DataType[elemType]?.toLowerCase() ?? `type ${elemType}`;
}

function invalid(source: string, message: string, cause?: unknown): AvatarError {
  return new AvatarError(
    "invalid_source",
    `${source}: ${message}`,
    cause === undefined ? undefined : { cause },
  );
}
