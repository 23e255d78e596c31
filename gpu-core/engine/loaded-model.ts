import { REFERENCE_SIZE } from "../../avatar/reference.ts";
import { FeatureExtractor } from "../audio/feature-extractor.ts";
import type { SpeechWindow } from "../audio/speech-window.ts";
import { CoreError } from "../core-error.ts";
import type { AudioEncoder } from "../model/audio-encoder.ts";
import type { ReferenceCrops } from "../model/reference-crops.ts";
import type { Unet } from "../model/unet.ts";
import { PIXEL_BYTES, pastePixels } from "../model/visual-tensor.ts";
import type { BatchTimes, FrameOrder } from "./messages.ts";
import type { Workbench } from "./workbench.ts";

/** One window of speech that is being turned into mouths. */
export interface OpenSpeech {
  /** The model's name on this worker. */
  readonly model: string;
  readonly features: FeatureExtractor;
}

/** One frame of a batch. */
export interface BatchFrame {
  readonly features: FeatureExtractor;
  readonly order: FrameOrder;
}

/** A model in the memory of a worker thread, with what it needs to speak. */
export class LoadedModel {
  readonly unet: Unet;
  /** Null for a bare model. */
  readonly #speech: { encoder: AudioEncoder; crops: ReferenceCrops } | null;

  constructor(unet: Unet, speech: { encoder: AudioEncoder; crops: ReferenceCrops } | null) {
    this.unet = unet;
    this.#speech = speech;
  }

  /** @throws CoreError `failed_precondition` for a bare model */
  openSpeech(window: SpeechWindow, bench: Workbench): FeatureExtractor {
    const { encoder } = this.#speaking();
    const encode = (mel: Float32Array) => encoder.run(mel);
    return new FeatureExtractor(window, bench.mel, encode, bench.now);
  }

  /**
   * Makes frames in one run of the U-Net.
   * @param frames at most as many as the workbench has room for
   * @param onRegion the fitted region of each: 8-bit RGB [region.height, region.width, 3]; scratch space
   */
  async run(
    frames: readonly BatchFrame[],
    bench: Workbench,
    times: BatchTimes,
    onRegion: (frame: number, pixels: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { crops } = this.#speaking();
    const { now, resizer } = bench;
    const n = frames.length;
    for (const [i, { features, order }] of frames.entries()) {
      await features.fill(order.frame, bench.audio(i, i + 1), times);
      const preparing = now();
      crops.read(order.backgroundIndex, bench.crops(i, i + 1));
      times.prepareMs += now() - preparing;
    }
    const running = now();
    const output = await this.unet.runCrops(bench.crops(0, n), bench.audio(0, n), n);
    times.unetMs += now() - running;
    for (const [i, { order }] of frames.entries()) {
      const fitting = now();
      const crop = bench.crops(i, i + 1);
      pastePixels(output.subarray(i * PIXEL_BYTES, (i + 1) * PIXEL_BYTES), crop);
      const image = { width: REFERENCE_SIZE, height: REFERENCE_SIZE, data: crop };
      const { data } = resizer.resize(image, order.region.width, order.region.height);
      times.fitMs += now() - fitting;
      await onRegion(i, data);
    }
  }

  async release(): Promise<void> {
    this.#speech?.crops.close();
    await this.unet.release();
  }

  #speaking(): { encoder: AudioEncoder; crops: ReferenceCrops } {
    if (this.#speech) return this.#speech;
    throw new CoreError(
      "failed_precondition",
      "this model has no avatar, so there are no background frames: use InferBatch, or import the avatar",
    );
  }
}
