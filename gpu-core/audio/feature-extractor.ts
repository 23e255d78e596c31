import {
  ENCODER_ROWS,
  encoderWindowCount,
  encoderWindowStart,
  FEATURE_ROWS_BEFORE,
  FEATURE_ROWS_PER_FRAME,
  FEATURE_SIZE,
  MEL_BANDS,
  melRowCount,
} from "../../avatar/speech-timing.ts";
import type { MelFrontEnd } from "./mel.ts";
import type { SpeechWindow } from "./speech-window.ts";

/** Runs the audio encoder: float32 [1,1,80,16] to float32 [512]. */
export type EncodeWindow = (mel: Float32Array) => Promise<Float32Array>;

/** Floats of the U-Net's audio input for one frame: [32,16,16]. */
export const AUDIO_TENSOR_SIZE = FEATURE_ROWS_PER_FRAME * FEATURE_SIZE;

/** Milliseconds spent, added to by each call. */
export interface FeatureTimes {
  melMs: number;
  encoderMs: number;
}

/**
 * Feature rows of one window of speech, made when they are first needed and
 * forgotten when the frames have gone by.
 *
 * The encoder always runs on one window at a time: matrix kernels may round
 * differently for other batch sizes, and a stream has to give the same bytes
 * as the whole utterance.
 */
export class FeatureExtractor {
  readonly #window: SpeechWindow;
  readonly #mel: MelFrontEnd;
  readonly #encode: EncodeWindow;
  readonly #now: () => number;
  /** Encoder windows and mel rows of the utterance; infinite while its end is not known. */
  readonly #windowCount: number;
  readonly #rowCount: number;
  readonly #features = new Map<number, Float32Array>();
  /** Rows of the mel, of which an encoder window shares most with the next. */
  readonly #melRows = new Map<number, Float32Array>();

  constructor(window: SpeechWindow, mel: MelFrontEnd, encode: EncodeWindow, now: () => number) {
    const total = window.utteranceSamples;
    this.#window = window;
    this.#mel = mel;
    this.#encode = encode;
    this.#now = now;
    this.#rowCount = total === null ? Number.POSITIVE_INFINITY : melRowCount(total);
    this.#windowCount = encoderWindowCount(this.#rowCount);
  }

  /**
   * Fills the U-Net's audio input of `frame`: feature rows frame-8..frame+7,
   * zeros outside the utterance.
   * @param tensor float32 [32,16,16]
   */
  async fill(frame: number, tensor: Float32Array, times: FeatureTimes): Promise<void> {
    for (let i = 0; i < FEATURE_ROWS_PER_FRAME; i++) {
      const row = frame - FEATURE_ROWS_BEFORE + i;
      const to = i * FEATURE_SIZE;
      // The first and the last window count twice.
      if (row < 0 || row >= this.#windowCount + 2) {
        tensor.fill(0, to, to + FEATURE_SIZE);
      } else {
        const window = Math.min(Math.max(0, row - 1), this.#windowCount - 1);
        tensor.set(await this.#feature(window, times), to);
      }
    }
    this.#forgetBefore(frame - FEATURE_ROWS_BEFORE - 1);
  }

  async #feature(window: number, times: FeatureTimes): Promise<Float32Array> {
    const known = this.#features.get(window);
    if (known) return known;
    const started = this.#now();
    const input = this.#encoderInput(window);
    const encoding = this.#now();
    const feature = await this.#encode(input);
    times.melMs += encoding - started;
    times.encoderMs += this.#now() - encoding;
    this.#features.set(window, feature);
    return feature;
  }

  /** float32 [80,16]: a column per row of the mel. */
  #encoderInput(window: number): Float32Array {
    const first = Math.min(encoderWindowStart(window), this.#rowCount - ENCODER_ROWS);
    const input = new Float32Array(MEL_BANDS * ENCODER_ROWS);
    for (let column = 0; column < ENCODER_ROWS; column++) {
      const row = this.#melRow(first + column);
      for (let band = 0; band < MEL_BANDS; band++) input[band * ENCODER_ROWS + column] = row[band]!;
    }
    for (const known of this.#melRows.keys()) if (known < first) this.#melRows.delete(known);
    return input;
  }

  #melRow(row: number): Float32Array {
    const known = this.#melRows.get(row);
    if (known) return known;
    const { samples, start, utteranceSamples } = this.#window;
    const made = new Float32Array(MEL_BANDS);
    this.#mel.rows(
      (n) => samples[n - start]! / 32768,
      utteranceSamples ?? Number.POSITIVE_INFINITY,
      row,
      row + 1,
      made,
    );
    this.#melRows.set(row, made);
    return made;
  }

  #forgetBefore(window: number): void {
    for (const known of this.#features.keys()) {
      if (known < window && known !== this.#windowCount - 1) this.#features.delete(known);
    }
  }
}
