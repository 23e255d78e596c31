import type { InferenceSession } from "onnxruntime-node";
import { WRAPPED } from "../../avatar/onnx/wrap-unet.ts";
import { REFERENCE_BYTES, REFERENCE_SIZE } from "../../avatar/reference.ts";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import {
  byteOutput,
  byteTensor,
  createSession,
  floatTensor,
  type ModelFile,
  runSession,
  type SessionOptions,
} from "./session.ts";
import { PIXEL_BYTES } from "./visual-tensor.ts";

/** A wrapped U-Net: 8-bit crops in, 8-bit pixels out. */
export class CropUnet {
  readonly #session: InferenceSession;
  readonly #audio: string;
  readonly #path: string;
  readonly #isFixedBatch: boolean;

  private constructor(session: InferenceSession, path: string) {
    this.#session = session;
    this.#path = path;
    const { inputMetadata } = session;
    this.#isFixedBatch = inputMetadata.some((value) => value.isTensor && value.shape[0] === 1);
    this.#audio = session.inputNames.find((name) => name !== WRAPPED.reference) ?? "";
  }

  /**
   * Loads and warms up every batch size to `maxBatchSize`.
   * @param file made by `wrapUnet`
   * @throws CoreError `failed_precondition`
   */
  static async load(
    file: ModelFile,
    options: SessionOptions,
    maxBatchSize: number,
  ): Promise<CropUnet> {
    const session = await createSession(file, options);
    try {
      const unet = new CropUnet(session, file.path);
      const sizes = unet.#isFixedBatch ? 1 : maxBatchSize;
      for (let n = 1; n <= sizes; n++) {
        const crops = new Uint8Array(n * REFERENCE_BYTES);
        await unet.run(crops, new Float32Array(n * AUDIO_TENSOR_SIZE), n);
      }
      return unet;
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /**
   * @param crops uint8 [n,328,328,3] RGB
   * @param audio float32 [n,32,16,16]
   * @returns uint8 [n,320,320,3] RGB
   */
  async run(crops: Uint8Array, audio: Float32Array, n: number): Promise<Uint8Array> {
    if (n > 1 && this.#isFixedBatch) return this.#runOneByOne(crops, audio, n);
    const outputs = await runSession(
      this.#session,
      {
        [WRAPPED.reference]: byteTensor(crops, [n, REFERENCE_SIZE, REFERENCE_SIZE, 3]),
        [this.#audio]: floatTensor(audio, [n, 32, 16, 16]),
      },
      this.#path,
    );
    return byteOutput(outputs, WRAPPED.output, n * PIXEL_BYTES, this.#path);
  }

  async #runOneByOne(crops: Uint8Array, audio: Float32Array, n: number): Promise<Uint8Array> {
    const outputs = new Uint8Array(n * PIXEL_BYTES);
    for (let i = 0; i < n; i++) {
      const output = await this.run(
        crops.subarray(i * REFERENCE_BYTES, (i + 1) * REFERENCE_BYTES),
        audio.subarray(i * AUDIO_TENSOR_SIZE, (i + 1) * AUDIO_TENSOR_SIZE),
        1,
      );
      outputs.set(output, i * PIXEL_BYTES);
    }
    return outputs;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
