import { CubicResizer } from "../../avatar/image/resize.ts";
import { REFERENCE_BYTES } from "../../avatar/reference.ts";
import { AUDIO_TENSOR_SIZE } from "../audio/feature-extractor.ts";
import { MelFrontEnd } from "../audio/mel.ts";

/** What one worker thread reuses for every batch of every model. */
export class Workbench {
  readonly mel = new MelFrontEnd();
  readonly resizer = new CubicResizer();
  readonly now: () => number = () => performance.now();
  /** uint8 [n,328,328,3] */
  readonly #crops: Uint8Array;
  /** float32 [n,32,16,16] */
  readonly #audio: Float32Array;

  /** @param maxBatchSize frames of the largest batch */
  constructor(maxBatchSize: number) {
    this.#crops = new Uint8Array(maxBatchSize * REFERENCE_BYTES);
    this.#audio = new Float32Array(maxBatchSize * AUDIO_TENSOR_SIZE);
  }

  /** Room for the reference crops of frames `first` to `end` - 1 of a batch. */
  crops(first: number, end: number): Uint8Array {
    return this.#crops.subarray(first * REFERENCE_BYTES, end * REFERENCE_BYTES);
  }

  /** Room for the audio tensors of frames `first` to `end` - 1 of a batch. */
  audio(first: number, end: number): Float32Array {
    return this.#audio.subarray(first * AUDIO_TENSOR_SIZE, end * AUDIO_TENSOR_SIZE);
  }
}
