import type { InferenceSession } from "onnxruntime-node";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import {
  checkTensorCount,
  createSession,
  findTensor,
  floatOutput,
  floatTensor,
  type SessionOptions,
} from "./session.ts";

/** Side of the model's picture in pixels. */
export const MODEL_SIZE = 320;
const PLANE = MODEL_SIZE * MODEL_SIZE;
/** Floats of the visual input of one frame: [6,320,320]. */
export const VISUAL_TENSOR_SIZE = 6 * PLANE;
/** Floats of the output of one frame: [3,320,320]. */
export const OUTPUT_TENSOR_SIZE = 3 * PLANE;

/** The lip-sync U-Net of one avatar, loaded. */
export class Unet {
  readonly #session: InferenceSession;
  readonly #visual: string;
  readonly #audio: string;
  readonly #output: string;
  readonly #path: string;
  /** Frames per run: 1 if the export fixed the batch dimension, else any number. */
  readonly #fixedBatch: boolean;

  private constructor(session: InferenceSession, path: string) {
    this.#session = session;
    this.#path = path;
    const { inputMetadata, outputMetadata } = session;
    this.#fixedBatch = inputMetadata.some((value) => value.isTensor && value.shape[0] === 1);
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

  /** @throws CoreError `failed_precondition` when the file is not such a U-Net. */
  static async load(path: string, options: SessionOptions): Promise<Unet> {
    const session = await createSession(path, options);
    try {
      const unet = new Unet(session, path);
      // The first run allocates and may compile: it belongs to the load.
      await unet.run(new Float32Array(VISUAL_TENSOR_SIZE), new Float32Array(AUDIO_TENSOR_SIZE), 1);
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
    if (n > 1 && this.#fixedBatch) return this.#runOneByOne(visual, audio, n);
    const outputs = await this.#session.run({
      [this.#visual]: floatTensor(visual, [n, 6, MODEL_SIZE, MODEL_SIZE]),
      [this.#audio]: floatTensor(audio, [n, 32, 16, 16]),
    });
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
