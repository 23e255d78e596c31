import { InferenceSession, Tensor } from "onnxruntime-node";
import type { ExecutionProvider } from "../config.ts";
import { CoreError } from "../core-error.ts";

/** What onnxruntime says when a provider or one of its libraries is not there. */
const PROVIDER_IS_MISSING =
  /Failed to load (?:shared )?library|providers_shared|not been built|no available backend|is not supported|no supported adapters/i;

/**
 * What onnxruntime has said, of a model or of the device that was to run it:
 * which of the two, only the device can tell (`judgeFailure`).
 */
export class OnnxError extends CoreError {
  constructor(message: string, cause: unknown) {
    super("failed_precondition", message, { cause });
  }
}

/** Where a session runs. */
export interface SessionOptions {
  /** In order of preference. Without `cpu` among them nothing falls back to the CPU. */
  readonly providers: readonly ExecutionProvider[];
  /** Index of the GPU. */
  readonly deviceId: number;
  /** Threads of one run, the calling one included. */
  readonly threads: number;
}

/** A model to load: a file, or what was made of it. */
export interface ModelFile {
  /** Named in errors. */
  readonly path: string;
  /** Instead of the file's. */
  readonly bytes?: Uint8Array;
}

/** A tensor of a model as its file declares it; null dimensions are not declared. */
export interface TensorSpec {
  readonly label: string;
  /** Shape without the batch dimension, which may be symbolic or 1. */
  readonly shape: readonly number[];
}

/**
 * Loads a model.
 * @throws OnnxError when it is damaged or does not fit the device, or the device does not work
 */
export async function createSession(
  { path, bytes }: ModelFile,
  options: SessionOptions,
): Promise<InferenceSession> {
  const { providers, deviceId } = options;
  const settings: InferenceSession.SessionOptions = {
    executionProviders: providers.map((name) =>
      // WebGPU takes the system's own choice, and refuses an index.
      name === "cpu" || name === "webgpu" ? name : { name, deviceId },
    ),
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
  };
  try {
    return bytes
      ? await InferenceSession.create(bytes, settings)
      : await InferenceSession.create(path, settings);
  } catch (cause) {
    const why = saidBy(cause);
    const advice = PROVIDER_IS_MISSING.test(why)
      ? `the execution provider ${providers[0]} is not installed (npm install with ONNXRUNTIME_NODE_INSTALL=cuda12 brings CUDA), or gpus.execution_providers names another one than this machine has`
      : "export the model again";
    throw new OnnxError(`onnxruntime cannot load ${path}: ${why}; ${advice}`, cause);
  }
}

/** Runs a model. @throws OnnxError */
export async function runSession(
  session: InferenceSession,
  feeds: InferenceSession.FeedsType,
  path: string,
): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await session.run(feeds);
  } catch (cause) {
    throw new OnnxError(`onnxruntime cannot run ${path}: ${saidBy(cause)}`, cause);
  }
}

function saidBy(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).trim();
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

/** A uint8 tensor over `data`, which is not copied. */
export function byteTensor(data: Uint8Array, shape: readonly number[]): Tensor {
  return new Tensor("uint8", data, shape);
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

/** The uint8 output of a run, checked as `floatOutput` does. */
export function byteOutput(
  outputs: InferenceSession.OnnxValueMapType,
  name: string,
  length: number,
  path: string,
): Uint8Array {
  const output = outputs[name];
  if (output?.data instanceof Uint8Array && output.data.length === length) return output.data;
  const seen = output ? `${output.type} [${output.dims.join(",")}]` : "nothing";
  throw new CoreError(
    "failed_precondition",
    `${path}: output ${name} is ${seen}, expected ${length} bytes`,
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
