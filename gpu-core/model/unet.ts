import { readFile } from "node:fs/promises";
import { toHalfPrecision } from "../../avatar/onnx/half-precision.ts";
import { wrapUnet } from "../../avatar/onnx/wrap-unet.ts";
import { REFERENCE_BYTES } from "../../avatar/reference.ts";
import type { Precision } from "../config.ts";
import { CoreError } from "../core-error.ts";
import { CropUnet } from "./crop-unet.ts";
import { FloatUnet, OUTPUT_TENSOR_SIZE, VISUAL_TENSOR_SIZE } from "./float-unet.ts";
import type { ModelFile, SessionOptions } from "./session.ts";
import { fillVisualTensor, outputPixels, PIXEL_BYTES } from "./visual-tensor.ts";

export interface UnetOptions {
  readonly session: SessionOptions;
  readonly precision: Precision;
  /** Every size up to it is warmed up. */
  readonly maxBatchSize: number;
  /** Whether it will run on reference crops; otherwise on tensors only. */
  readonly hasCrops: boolean;
}

/**
 * The lip-sync U-Net of one avatar, loaded: on crops in its wrapped form, on
 * tensors as it was exported. The second session is made when it is first
 * needed, because hardly any avatar needs both.
 */
export class Unet {
  readonly #path: string;
  readonly #options: UnetOptions;
  readonly #crops: CropUnet | null;
  #floats: FloatUnet | null;

  private constructor(
    path: string,
    options: UnetOptions,
    crops: CropUnet | null,
    floats: FloatUnet | null,
  ) {
    this.#path = path;
    this.#options = options;
    this.#crops = crops;
    this.#floats = floats;
  }

  /** @throws CoreError `failed_precondition` when the file is not such a U-Net */
  static async load(path: string, options: UnetOptions): Promise<Unet> {
    const { session, maxBatchSize, hasCrops } = options;
    const wrapped = hasCrops ? await readWrapped(path, options.precision) : null;
    if (wrapped) {
      return new Unet(path, options, await CropUnet.load(wrapped, session, maxBatchSize), null);
    }
    return new Unet(path, options, null, await loadFloats(path, options));
  }

  /** Whether `runTensors` will have to load a second session. */
  get lacksFloats(): boolean {
    return this.#floats === null;
  }

  /**
   * @param crops uint8 [n,328,328,3] RGB: reference crops
   * @param audio float32 [n,32,16,16]
   * @returns uint8 [n,320,320,3] RGB
   */
  async runCrops(crops: Uint8Array, audio: Float32Array, n: number): Promise<Uint8Array> {
    if (this.#crops) return this.#crops.run(crops, audio, n);
    const visual = new Float32Array(n * VISUAL_TENSOR_SIZE);
    for (let i = 0; i < n; i++) {
      fillVisualTensor(
        crops.subarray(i * REFERENCE_BYTES, (i + 1) * REFERENCE_BYTES),
        visual.subarray(i * VISUAL_TENSOR_SIZE, (i + 1) * VISUAL_TENSOR_SIZE),
      );
    }
    const floats = await this.runTensors(visual, audio, n);
    const pixels = new Uint8Array(n * PIXEL_BYTES);
    for (let i = 0; i < n; i++) {
      outputPixels(
        floats.subarray(i * OUTPUT_TENSOR_SIZE, (i + 1) * OUTPUT_TENSOR_SIZE),
        pixels.subarray(i * PIXEL_BYTES, (i + 1) * PIXEL_BYTES),
      );
    }
    return pixels;
  }

  /**
   * @param visual float32 [n,6,320,320] BGR 0..1
   * @param audio float32 [n,32,16,16]
   * @returns float32 [n,3,320,320] BGR 0..1
   */
  async runTensors(visual: Float32Array, audio: Float32Array, n: number): Promise<Float32Array> {
    this.#floats ??= await loadFloats(this.#path, this.#options);
    return this.#floats.run(visual, audio, n);
  }

  async release(): Promise<void> {
    await this.#crops?.release();
    await this.#floats?.release();
  }
}

async function loadFloats(path: string, options: UnetOptions): Promise<FloatUnet> {
  const file = options.precision === "fp16" ? await readHalf(path) : { path };
  return FloatUnet.load(file, options.session, options.maxBatchSize);
}

/** Null when the graph cannot be wrapped. */
async function readWrapped(path: string, precision: Precision): Promise<ModelFile | null> {
  const { bytes } = precision === "fp16" ? await readHalf(path) : await readModelFile(path);
  const { model } = wrapUnet(bytes, path);
  return model && { path, bytes: model };
}

async function readHalf(path: string): Promise<{ path: string; bytes: Uint8Array }> {
  const { bytes } = await readModelFile(path);
  return { path, bytes: toHalfPrecision(bytes, path) };
}

async function readModelFile(path: string): Promise<{ path: string; bytes: Uint8Array }> {
  try {
    return { path, bytes: await readFile(path) };
  } catch (cause) {
    throw new CoreError("failed_precondition", `cannot read ${path}: publish the model again`, {
      cause,
    });
  }
}
