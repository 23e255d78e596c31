import {
  MEL_BANDS,
  MEL_HOP_SAMPLES,
  MEL_WINDOW_SAMPLES,
  melRowCount,
  SAMPLE_RATE,
} from "../../avatar/speech-timing.ts";
import { RealFft } from "./fft.ts";

const PRE_EMPHASIS = 0.97;
const LOWEST_HZ = 55;
const HIGHEST_HZ = 7600;
const BINS = MEL_WINDOW_SAMPLES / 2 + 1;

/**
 * Mel rows as SyncTalk_2D's `audio.py` makes them: pre-emphasis 0.97, STFT of
 * 800 samples every 200 under a periodic Hann window, centred with zero
 * padding, magnitude through 80 Slaney mel bands from 55 to 7600 Hz, in
 * decibels, scaled to -4..4.
 */
export class MelFrontEnd {
  readonly #fft = new RealFft(MEL_WINDOW_SAMPLES);
  readonly #window = hann(MEL_WINDOW_SAMPLES);
  readonly #filters = slaneyFilters();
  readonly #input = new Float64Array(MEL_WINDOW_SAMPLES);
  readonly #magnitudes = new Float64Array(BINS);

  /**
   * Rows `[first, end)` of an utterance.
   * @param sampleAt sample n of the utterance, -1..1; asked only for n within
   *   `[0, samples)` and no more than half a window and one sample beyond the rows.
   * @param samples length of the utterance; beyond it there is silence.
   * @param rows float32 [end - first, 80], filled.
   */
  rows(
    sampleAt: (n: number) => number,
    samples: number,
    first: number,
    end: number,
    rows: Float32Array,
  ): void {
    for (let row = first; row < end; row++) {
      this.#fillWindow(sampleAt, samples, row * MEL_HOP_SAMPLES - MEL_WINDOW_SAMPLES / 2);
      this.#fft.magnitudes(this.#input, this.#magnitudes);
      const to = (row - first) * MEL_BANDS;
      for (let band = 0; band < MEL_BANDS; band++) {
        rows[to + band] = scaleDecibels(this.#applyFilter(band));
      }
    }
  }

  #fillWindow(sampleAt: (n: number) => number, samples: number, start: number): void {
    const from = Math.max(0, start);
    const until = Math.min(samples, start + MEL_WINDOW_SAMPLES);
    this.#input.fill(0);
    let previous = from > 0 && from < samples ? sampleAt(from - 1) : 0;
    for (let n = from; n < until; n++) {
      const sample = sampleAt(n);
      this.#input[n - start] = (sample - PRE_EMPHASIS * previous) * this.#window[n - start]!;
      previous = sample;
    }
  }

  #applyFilter(band: number): number {
    const { firstBin, weights } = this.#filters[band]!;
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i]! * this.#magnitudes[firstBin + i]!;
    return sum;
  }
}

/**
 * The mel rows of a whole utterance.
 * @param samples float32, mono, 16 kHz, -1..1
 * @returns float32 [melRowCount(samples), 80]
 */
export function melSpectrogram(samples: Float32Array): Float32Array {
  const count = melRowCount(samples.length);
  const rows = new Float32Array(count * MEL_BANDS);
  new MelFrontEnd().rows((n) => samples[n]!, samples.length, 0, count, rows);
  return rows;
}

function scaleDecibels(magnitude: number): number {
  const decibels = 20 * Math.log10(Math.max(1e-5, magnitude)) - 20;
  return Math.min(4, Math.max(-4, (8 * (decibels + 100)) / 100 - 4));
}

/** Periodic Hann, as `scipy.signal.get_window("hann", n, fftbins=True)`. */
function hann(size: number): Float64Array {
  return Float64Array.from(
    { length: size },
    (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size),
  );
}

interface Filter {
  readonly firstBin: number;
  readonly weights: Float64Array;
}

/** Triangles as `librosa.filters.mel(htk=False, norm="slaney")` makes them. */
function slaneyFilters(): Filter[] {
  const low = hzToMel(LOWEST_HZ);
  const step = (hzToMel(HIGHEST_HZ) - low) / (MEL_BANDS + 1);
  const edges = Array.from({ length: MEL_BANDS + 2 }, (_, i) => melToHz(low + i * step));
  return Array.from({ length: MEL_BANDS }, (_, band) => {
    const [left, centre, right] = [edges[band]!, edges[band + 1]!, edges[band + 2]!];
    const weights: number[] = [];
    let firstBin = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const hz = (bin * SAMPLE_RATE) / MEL_WINDOW_SAMPLES;
      const height = Math.min((hz - left) / (centre - left), (right - hz) / (right - centre));
      if (height <= 0) continue;
      if (weights.length === 0) firstBin = bin;
      weights.push((height * 2) / (right - left));
    }
    return { firstBin, weights: Float64Array.from(weights) };
  });
}

/** Slaney's Auditory Toolbox: linear below 1 kHz, logarithmic above. */
const LINEAR_HZ_PER_MEL = 200 / 3;
const LOG_FROM_HZ = 1000;
const LOG_FROM_MEL = LOG_FROM_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

function hzToMel(hz: number): number {
  return hz < LOG_FROM_HZ
    ? hz / LINEAR_HZ_PER_MEL
    : LOG_FROM_MEL + Math.log(hz / LOG_FROM_HZ) / LOG_STEP;
}

function melToHz(mel: number): number {
  return mel < LOG_FROM_MEL
    ? mel * LINEAR_HZ_PER_MEL
    : LOG_FROM_HZ * Math.exp(LOG_STEP * (mel - LOG_FROM_MEL));
}
