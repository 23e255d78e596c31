import type { InferenceSession } from "onnxruntime-node";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import {
  checkTensorCount,
  createSession,
  findTensor,
  floatOutput,
  floatTensor,
  type ModelFile,
  runSession,
  type SessionOptions,
} from "./session.ts";
import { MODEL_SIZE } from "./visual-tensor.ts";

/** Floats of the visual input of one frame: [6,320,320]. */
export const VISUAL_TENSOR_SIZE = 6 * MODEL_SIZE * MODEL_SIZE;
/** Floats of the output of one frame: [3,320,320]. */
export const OUTPUT_TENSOR_SIZE = 3 * MODEL_SIZE * MODEL_SIZE;

/** A U-Net as it was exported: tensors in, tensors out. */
export class FloatUnet {
  readonly #session: InferenceSession;
  readonly #visual: string;
  readonly #audio: string;
  readonly #output: string;
  readonly #path: string;
  /** The export fixed the batch dimension to 1. */
  readonly #isFixedBatch: boolean;

  private constructor(session: InferenceSession, path: string) {
    this.#session = session;
    this.#path = path;
    const { inputMetadata, outputMetadata } = session;
    this.#isFixedBatch = inputMetadata.some((value) => value.isTensor && value.shape[0] === 1);
    checkTensorCount(session, 2, path);
    const side = [MODEL_SIZE, MODEL_SIZE];
    this.#visual = findTensor(inputMetadata, { label: "visual input", shape: [6, ...side] }, path);
    this.#audio = findTensor(
      inputMetadata.filter((value) => value.name !== this.#visual),
      { label: "audio input", shape: [32, 16, 16] },
      path,
    );
    this.#output = findTensor(outputMetadata, { label: "output", shape: [3, ...side] }, path);
  }

  /**
   * Loads and warms up every batch size to `maxBatchSize`.
   * @throws CoreError `failed_precondition` when the file is not such a U-Net
   */
  static async load(
    file: ModelFile,
    options: SessionOptions,
    maxBatchSize: number,
  ): Promise<FloatUnet> {
    const session = await createSession(file, options);
    try {
      const unet = new FloatUnet(session, file.path);
      const sizes = unet.#isFixedBatch ? 1 : maxBatchSize;
      // The first run of a size allocates and may compile: it belongs to the load.
      for (let n = 1; n <= sizes; n++) {
        const visual = new Float32Array(n * VISUAL_TENSOR_SIZE);
        await unet.run(visual, new Float32Array(n * AUDIO_TENSOR_SIZE), n);
      }
      return unet;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /**
   * @param visual float32 [n,6,320,320] BGR 0..1
   * @param audio float32 [n,32,16,16]
   * @returns float32 [n,3,320,320] BGR 0..1
   */
  async run(visual: Float32Array, audio: Float32Array, n: number): Promise<Float32Array> {
    if (n > 1 && this.#isFixedBatch) return this.#runOneByOne(visual, audio, n);
    const outputs = await runSession(
      this.#session,
      {
        [this.#visual]: floatTensor(visual, [n, 6, MODEL_SIZE, MODEL_SIZE]),
        [this.#audio]: floatTensor(audio, [n, 32, 16, 16]),
      },
      this.#path,
    );
    return floatOutput(outputs, this.#output, n * OUTPUT_TENSOR_SIZE, this.#path);
  }

  async #runOneByOne(visual: Float32Array, audio: Float32Array, n: number): Promise<Float32Array> {
    const outputs = new Float32Array(n * OUTPUT_TENSOR_SIZE);
    for (let i = 0; i < n; i++) {
      const output = await this.run(
        visual.subarray(i * VISUAL_TENSOR_SIZE, (i + 1) * VISUAL_TENSOR_SIZE),
        audio.subarray(i * AUDIO_TENSOR_SIZE, (i + 1) * AUDIO_TENSOR_SIZE),
        1,
      );
      outputs.set(output, i * OUTPUT_TENSOR_SIZE);
    }
    return outputs;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
