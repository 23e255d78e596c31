import { CubicResizer } from "../../avatar/image/resize.ts";
import { REFERENCE_BYTES, REFERENCE_SIZE } from "../../avatar/reference.ts";
import {
  AUDIO_TENSOR_SIZE,
  FeatureExtractor,
  type FeatureTimes,
} from "../audio/feature-extractor.ts";
import { MelFrontEnd } from "../audio/mel.ts";
import type { SpeechWindow } from "../audio/speech-window.ts";
import { CoreError } from "../core-error.ts";
import type { AudioEncoder } from "../model/audio-encoder.ts";
import type { ReferenceCrops } from "../model/reference-crops.ts";
import { type Unet, VISUAL_TENSOR_SIZE } from "../model/unet.ts";
import { fillVisualTensor, pasteOutput } from "../model/visual-tensor.ts";
import type { BatchTimes, FrameOrder } from "./messages.ts";

/** What one worker thread reuses for every frame of every model. */
export class Workbench {
  readonly mel = new MelFrontEnd();
  readonly resizer = new CubicResizer();
  readonly visual = new Float32Array(VISUAL_TENSOR_SIZE);
  readonly audio = new Float32Array(AUDIO_TENSOR_SIZE);
  readonly reference = new Uint8Array(REFERENCE_BYTES);
  readonly now: () => number = () => performance.now();
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

  openSpeech(window: SpeechWindow, bench: Workbench): SpeechRun {
    if (!this.#speech) {
      throw new CoreError(
        "failed_precondition",
        "this model has no avatar, so there are no background frames: use InferBatch, or import the avatar",
      );
    }
    return new SpeechRun(this.unet, this.#speech.encoder, this.#speech.crops, window, bench);
  }

  async release(): Promise<void> {
    this.#speech?.crops.close();
    await this.unet.release();
  }
}

/** One window of speech being turned into mouths. */
export class SpeechRun {
  /** Set when nobody waits for the frames any more. */
  closed = false;
  readonly #unet: Unet;
  readonly #crops: ReferenceCrops;
  readonly #features: FeatureExtractor;
  readonly #bench: Workbench;

  constructor(
    unet: Unet,
    encoder: AudioEncoder,
    crops: ReferenceCrops,
    window: SpeechWindow,
    bench: Workbench,
  ) {
    this.#unet = unet;
    this.#crops = crops;
    this.#bench = bench;
    const encode = (mel: Float32Array) => encoder.run(mel);
    this.#features = new FeatureExtractor(window, bench.mel, encode, bench.now);
  }

  /** @returns the fitted region: 8-bit RGB [region.height, region.width, 3] */
  async frame(order: FrameOrder, times: BatchTimes & FeatureTimes): Promise<Uint8Array> {
    const { visual, audio, reference, resizer, now } = this.#bench;
    await this.#features.fill(order.frame, audio, times);
    const preparing = now();
    this.#crops.read(order.backgroundIndex, reference);
    fillVisualTensor(reference, visual);
    const running = now();
    const output = await this.#unet.run(visual, audio, 1);
    const fitting = now();
    pasteOutput(output, reference);
    const crop = { width: REFERENCE_SIZE, height: REFERENCE_SIZE, data: reference };
    const fitted = resizer.resize(crop, order.region.width, order.region.height);
    times.prepareMs += running - preparing;
    times.unetMs += fitting - running;
    times.fitMs += now() - fitting;
    return fitted.data;
  }
}
