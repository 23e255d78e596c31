import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ExecutionProvider } from "../config.ts";
import { CoreError } from "../core-error.ts";

/** Where a session runs. */
export interface SessionOptions {
  /** In order of preference. Without `cpu` among them nothing falls back to the CPU. */
  readonly providers: readonly ExecutionProvider[];
  /** Index of the GPU. */
  readonly deviceId: number;
  /** Threads of one run, the calling one included. */
  readonly threads: number;
}

/** A tensor of a model as its file declares it; null dimensions are not declared. */
export interface TensorSpec {
  readonly label: string;
  /** Shape without the batch dimension, which may be symbolic or 1. */
  readonly shape: readonly number[];
}

/**
 * Loads an ONNX file.
 * @throws CoreError `failed_precondition` when it is damaged or does not fit the device.
 */
export async function createSession(
  path: string,
  options: SessionOptions,
): Promise<InferenceSession> {
  const { providers, deviceId } = options;
  try {
    return await InferenceSession.create(path, {
      executionProviders: providers.map((name) => (name === "cpu" ? name : { name, deviceId })),
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      extra: {
        session: {
          // Threads that spin while they wait would take the cores of the other workers.
          intra_op: { allow_spinning: "0" },
          // A GPU device never runs a model on the CPU unnoticed.
          ...(!providers.includes("cpu") && { disable_cpu_ep_fallback: "1" }),
        },
      },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CoreError(
      "failed_precondition",
      `onnxruntime cannot load ${path}: ${why.trim()}; export the model again`,
      { cause },
    );
  }
}

/**
 * Finds the tensor of `spec` by its shape, because exports name them differently.
 * @throws CoreError `failed_precondition` naming what was found instead.
 */
export function findTensor(
  metadata: readonly InferenceSession.ValueMetadata[],
  spec: TensorSpec,
  path: string,
): string {
  const found = metadata.find((value) => matches(value, spec));
  if (found) return found.name;
  const expected = `float32 [n,${spec.shape.join(",")}]`;
  const seen = metadata.map(describe).join(", ") || "none";
  throw new CoreError(
    "failed_precondition",
    `${path}: no tensor for the ${spec.label}: expected ${expected}, the file has ${seen}`,
  );
}

/** Refuses tensors beyond those that are known, because nobody would fill them. */
export function checkTensorCount(session: InferenceSession, inputs: number, path: string): void {
  if (session.inputNames.length === inputs) return;
  throw new CoreError(
    "failed_precondition",
    `${path}: it has ${session.inputNames.length} inputs (${session.inputNames.join(", ")}), expected ${inputs}`,
  );
}

/** A float32 tensor over `data`, which is not copied. */
export function floatTensor(data: Float32Array, shape: readonly number[]): Tensor {
  return new Tensor("float32", data, shape);
}

/**
 * The float32 output of a run, checked: onnxruntime passes on what the model
 * makes, and symbolic dimensions are only known now.
 */
export function floatOutput(
  outputs: InferenceSession.OnnxValueMapType,
  name: string,
  length: number,
  path: string,
): Float32Array {
  const output = outputs[name];
  if (output?.data instanceof Float32Array && output.data.length === length) return output.data;
  const seen = output ? `${output.type} [${output.dims.join(",")}]` : "nothing";
  throw new CoreError(
    "failed_precondition",
    `${path}: output ${name} is ${seen}, expected ${length} float32 values`,
  );
}

function matches(value: InferenceSession.ValueMetadata, spec: TensorSpec): boolean {
  if (!value.isTensor || value.type !== "float32") return false;
  // Exports with dynamic axes may leave out any dimension, even all of them.
  if (value.shape.length === 0) return true;
  if (value.shape.length !== spec.shape.length + 1) return false;
  const [batch, ...rest] = value.shape;
  const batchFits = typeof batch !== "number" || batch === 1 || batch < 0;
  return batchFits && rest.every((size, i) => typeof size !== "number" || size === spec.shape[i]);
}

function describe(value: InferenceSession.ValueMetadata): string {
  if (!value.isTensor) return `${value.name}: not a tensor`;
  return `${value.name}: ${value.type} [${value.shape.join(",")}]`;
}
